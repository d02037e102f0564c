"""Links from one page of the admin to another."""

from typing import Any

from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString


def row_link(row: Model) -> str | SafeString:
    """Return a link to the admin's page of ``row``; only its text where the admin has none."""
    options = row._meta
    try:
        url = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return str(row)
    return format_html('<a href="{}">{}</a>', url, row)


def requests_link(text: Any, **filters: Any) -> SafeString:
    """Return a link to the list of credit requests with these fields of ``filters.FilterForm``."""
    url = reverse("admin:credit_pathways_usercreditpathway_changelist", query=filters)
    return format_html('<a href="{}">{}</a>', url, text)
