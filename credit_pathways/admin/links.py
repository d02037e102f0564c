"""Links to other pages of the admin, and to public records."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..links import public_record_url
from ..models import ProgramCertRecord, UserCreditPathway


def page_url(admin_site: AdminSite, model: type[Model], page: str, *args: Any, query: Any = None) -> str:
    """Return the URL of a page of ``model`` in this admin site: a host may have several."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
    return reverse(name, args=args, query=query, current_app=admin_site.name)


def row_link(admin_site: AdminSite, row: Model) -> str | SafeString:
    """Return a link to the admin page of ``row``, or only its text if its model is not registered."""
    try:
        url = page_url(admin_site, type(row), "change", quote(row.pk))
    except NoReverseMatch:
        return str(row)
    return format_html('<a href="{}">{}</a>', url, row)


def requests_link(admin_site: AdminSite, text: Any, **filters: Any) -> str | SafeString:
    """
    Return a link to the list of credit requests, with values for the fields of ``filters.FilterForm``.

    It is only ``text`` if the list is not in this admin site.
    """
    try:
        url = page_url(admin_site, UserCreditPathway, "changelist", query=filters)
    except NoReverseMatch:
        return str(text)
    return format_html('<a href="{}">{}</a>', url, text)


def public_record_link(record: ProgramCertRecord) -> SafeString | str:
    """Return an HTML link to the public record, or why there is none (promise 7)."""
    if not record.user.is_active:
        return str(_("The link does not work, because the learner's account is inactive."))
    return format_html('<a href="{0}">{0}</a>', public_record_url(record.program.site, record))
