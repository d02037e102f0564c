"""The export of the filtered list of credit requests as CSV or XLSX. Imported when used; see ``export_view``."""

from typing import Any

import tablib
from django import forms
from django.contrib import messages
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from import_export.formats.base_formats import CSV, XLSX

from ..exports import COLUMNS, export_rows
from ..models import UserCreditPathway
from .learner_rows import MAX_LISTED_ROWS

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
        return _refuse(request)
    form = ExportForm(request.POST or None)
    if form.is_valid():
        return _download(FORMATS[form.cleaned_data["format"]], changelist.queryset)
    context = {**model_admin.admin_site.each_context(request), "title": _("Export"), "form": form, "columns": COLUMNS}
    return TemplateResponse(request, "credit_pathways/admin/export.html", context)


def _refuse(request: HttpRequest) -> HttpResponse:
    text = _(
        "%(number)s requests or more cannot be exported here. Filter them, or run: manage.py export_credit_requests"
    )
    messages.error(request, text % {"number": MAX_LISTED_ROWS})
    return HttpResponseRedirect(reverse("admin:credit_pathways_usercreditpathway_changelist", query=request.GET))


def _download(file_format: Any, requests: QuerySet[UserCreditPathway]) -> HttpResponse:
    content = file_format.export_data(tablib.Dataset(*export_rows(requests), headers=COLUMNS))
    if not file_format.is_binary():
        content = content.encode("utf-8-sig")  # without the byte order mark, spreadsheets guess another encoding
    name = f"UserCreditPathway-{timezone.now():%Y-%m-%d}.{file_format.get_extension()}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type=file_format.get_content_type(), headers=headers)
