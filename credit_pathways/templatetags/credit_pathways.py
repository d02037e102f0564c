"""The tags of ``{% load credit_pathways %}``."""

from django import template
from django.conf import settings
from django.templatetags.static import static

from ..delivery.bounce_reasons import explain
from ..links import program_record_url

register = template.Library()
register.simple_tag(program_record_url)
register.filter("explain_bounce", explain)


@register.simple_tag
def asset(path: str) -> str:
    """
    Return the URL of a static file.

    Falls back to the plain URL if a manifest storage does not know the file, because ``collectstatic`` has not run
    since the app was installed. A page without its stylesheet is better than an error.
    """
    try:
        return static(path)
    except ValueError:
        return f"{settings.STATIC_URL}{path}"
