"""The export of the list: CSV and XLSX, of what is filtered. Imported when it is asked for; see ``export_action``."""

from typing import Any

import tablib
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from import_export.admin import ExportMixin
from import_export.fields import Field
from import_export.formats.base_formats import CSV, XLSX
from import_export.forms import ExportForm
from import_export.resources import Resource

from ..exports import COLUMNS, export_rows
from ..models import UserCreditPathway
from .learner_rows import LISTED, count_listed


class CreditRequestResource(Resource):
    """Credit requests with the columns of ``exports``."""

    @classmethod
    def get_display_name(cls) -> str:
        """Return what is exported."""
        return str(UserCreditPathway._meta.verbose_name_plural)

    def get_user_visible_fields(self) -> list[Field]:
        """Return the columns, for the page to list."""
        return [Field(column_name=name) for name in COLUMNS]

    def export(self, *args: Any, queryset: QuerySet[UserCreditPathway], **kwargs: Any) -> tablib.Dataset:
        """Return the rows, each cell neutralised."""
        return tablib.Dataset(*export_rows(queryset.order_by()), headers=COLUMNS)


class CreditRequestExportForm(ExportForm):
    """The choice of a format."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Name the field here: hosts need not install ``import_export``, and so its translations are not found."""
        super().__init__(*args, **kwargs)
        self.fields["format"].label = _("Format")


class CreditRequestExportMixin(ExportMixin):
    """An export of the filtered list, for those who may see the list."""

    export_form_class = CreditRequestExportForm
    export_template_name = "credit_pathways/admin/export.html"
    to_encoding = "utf-8-sig"  # or spreadsheets guess another
    export_formats = (CSV, XLSX)
    resource_classes = (CreditRequestResource,)

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Let those export who may see the list."""
        return self.has_view_permission(request)

    def get_valid_export_item_pks(self, request: HttpRequest) -> list[int]:
        """Return none: rows are chosen by the list's filters, not one by one; all keys would be read otherwise."""
        return []

    def export_action(self, request: HttpRequest) -> HttpResponse:
        """Export, unless there is more than a web server has time and memory for."""
        if "\0" in request.GET.get("q", ""):
            raise BadRequest("The search cannot be understood.")  # Django would leave it out, and export all
        allowed = self.has_export_permission(request)
        if allowed and count_listed(self.get_export_queryset(request)) == LISTED:
            messages.error(request, _too_many())
            url = reverse("admin:credit_pathways_usercreditpathway_changelist", query=request.GET)
            return HttpResponseRedirect(url)
        return super().export_action(request)


def export(request: HttpRequest, model_admin: ModelAdmin) -> HttpResponse:
    """Export what the list of ``model_admin`` shows, which may be a host's own with other rows and permissions."""
    exporting = type("Exporting", (CreditRequestExportMixin, type(model_admin)), {})
    return exporting(model_admin.model, model_admin.admin_site).export_action(request)


def _too_many() -> str:
    text = _(
        "%(number)s requests or more cannot be exported here. Filter them, or run: manage.py export_credit_requests"
    )
    return text % {"number": LISTED}
