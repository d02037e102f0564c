"""``{% load credit_pathways %}``."""

from django import template
from django.conf import settings
from django.templatetags.static import static

register = template.Library()


@register.simple_tag
def asset(path: str) -> str:
    """
    Return the address of a static file of the app.

    Where ``collectstatic`` has not run since the app came, a storage with a manifest raises ``ValueError``. A public
    link without its looks is better than one that is dead.
    """
    try:
        return static(path)
    except ValueError:
        return f"{settings.STATIC_URL}{path}"
