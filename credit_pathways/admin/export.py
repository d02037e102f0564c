"""The export of the filtered list of credit requests as CSV or XLSX. Imported when used; see ``export_view``."""

import re
from collections.abc import Iterable
from typing import Any

import tablib
from django import forms
from django.contrib import messages
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from import_export.formats.base_formats import CSV, XLSX
from openpyxl.cell.cell import ERROR_CODES  # type: ignore[import-untyped]

from ..exports import COLUMNS, export_rows
from ..models import UserCreditPathway
from .learner_rows import MAX_LISTED_ROWS
from .links import page_url

#: File formats by form value. django-import-export uses the same values.
FORMATS = {"0": CSV(), "1": XLSX()}


class ExportForm(forms.Form):
    """The choice of a file format."""

    format = forms.ChoiceField(
        label=gettext_lazy("Format"),
        choices=[("", "---"), *((value, file_format.get_title()) for value, file_format in FORMATS.items())],
    )


@require_http_methods(["GET", "HEAD", "POST"])
def export_view(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """Show the export page (GET), or return the file (POST)."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    if "\0" in request.GET.get("q", ""):
        raise BadRequest("The search term contains a null character.")  # Django would ignore it and list everything
    query = request.GET.copy()
    for name in (PAGE_VAR, "_changelist_filters"):  # all pages are exported, and this one may no longer exist
        query.pop(name, None)
    request.GET = query  # type: ignore[assignment]
    request.current_app = model_admin.admin_site.name
    changelist = model_admin.get_changelist_instance(request)
    if changelist.result_count >= MAX_LISTED_ROWS:
        return _refuse(request, model_admin.admin_site)
    form = ExportForm(request.POST or None)
    if form.is_valid():
        return _download(FORMATS[form.cleaned_data["format"]], changelist.queryset)
    context = {**model_admin.admin_site.each_context(request), "title": _("Export"), "form": form, "columns": COLUMNS}
    return TemplateResponse(request, "credit_pathways/admin/export.html", context)


def _refuse(request: HttpRequest, admin_site: Any) -> HttpResponse:
    text = _(
        "%(number)s requests or more cannot be exported here. Filter them, or run: manage.py export_credit_requests"
    )
    messages.error(request, text % {"number": MAX_LISTED_ROWS})
    return HttpResponseRedirect(page_url(admin_site, UserCreditPathway, "changelist", query=request.GET))


def _escape_row(row: Iterable[Any]) -> list[Any]:
    """Return the cells for XLSX, where ``_x0041_`` in a text stands for "A" (ECMA-376, part 1, 22.9.2.19)."""
    return [_escape(cell) if isinstance(cell, str) else cell for cell in row]


def _escape(text: str) -> str:
    # An error, such as #N/A, would be a value of its own.
    return f"'{text}" if text in ERROR_CODES else re.sub("_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)


def _download(file_format: Any, requests: QuerySet[UserCreditPathway]) -> HttpResponse:
    rows: Any = export_rows(requests)
    if file_format.is_binary():
        content = file_format.export_data(tablib.Dataset(*map(_escape_row, rows), headers=COLUMNS))
    else:
        # Without the byte order mark, spreadsheets guess another encoding.
        content = file_format.export_data(tablib.Dataset(*rows, headers=COLUMNS)).encode("utf-8-sig")
    name = f"UserCreditPathway-{timezone.now():%Y-%m-%d}.{file_format.get_extension()}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type=file_format.get_content_type(), headers=headers)
