"""The admin of credit requests."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from ..database import is_id
from ..decorators import non_atomic_requests
from ..delivery.bounce_reasons import explain
from ..models import ProgramCertRecord, UserCreditPathway
from ..templatetags.credit_pathways import asset
from . import deliver_again
from .filters import FilterForm, RequestFilter
from .learner_rows import MAX_LISTED_ROWS, LearnerRowAdmin
from .links import public_record_link, row_link

NOT_RECORDED = _("not recorded")


@admin.register(UserCreditPathway)
class UserCreditPathwayAdmin(LearnerRowAdmin):
    """Credit requests, with pages to deliver them again, to export them and to count them."""

    order_fields = ("created", "id")
    list_display = (
        "number",
        "learner",
        "pathway_link",
        "institution",
        "program_link",
        "status_in_words",
        "requested_at",
        "bounced",
    )
    list_filter = (RequestFilter,)
    allowed_lookups = tuple(FilterForm.base_fields)
    fields = (
        "number", "learner", "pathway_link", "institution", "program_link", "completed", "requested_at",
        "status_in_words", "modified", "attempts", "sent_to", "failure", "bounced_at", "bounce",
    )  # fmt: skip
    search_help_text = _("A learner's whole username or email address, or a request number")
    actions = ("deliver_again",)
    change_list_template = "credit_pathways/admin/credit_requests.html"

    @property
    def media(self) -> Media:
        """Add the scripts and styles of the filter."""
        return (
            super().media
            + FilterForm.base_fields["program"].widget.media
            + Media(
                css={"all": [asset("credit_pathways/admin/admin.css")]}, js=[asset("credit_pathways/admin/filter.js")]
            )
        )

    def get_urls(self) -> list[URLPattern]:
        view, name = self.admin_site.admin_view, "credit_pathways_usercreditpathway"
        return [
            path("export/", view(self.export_view), name=f"{name}_export"),
            path("report/", view(self.report_view), name=f"{name}_report"),
            path("report/<slug:by>.csv", view(self.report_csv_view), name=f"{name}_report_csv"),
            path("deliver-again/", view(self.deliver_again_view), name=f"{name}_deliver_again"),
            *super().get_urls(),
        ]

    # The export and the report are imported when used: few processes need them, and their dependencies load slowly.

    def export_view(self, request: HttpRequest) -> HttpResponse:
        from .export import export_view

        return export_view(request, self)

    def report_view(self, request: HttpRequest) -> HttpResponse:
        from .report import report_view

        return report_view(request, self)

    def report_csv_view(self, request: HttpRequest, by: str) -> HttpResponse:
        from .report import report_csv_view

        return report_csv_view(request, self, by)

    @non_atomic_requests
    def deliver_again_view(self, request: HttpRequest) -> HttpResponse:
        return deliver_again.confirmation_view(request, self)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"listed": MAX_LISTED_ROWS, **(extra_context or {})})

    def exact_match(self, term: str) -> Q:
        """Also match the request with this number."""
        match = super().exact_match(term)
        return match | Q(pk=int(term)) if is_id(term) else match

    def get_fields(self, request: HttpRequest, obj: UserCreditPathway | None = None) -> Any:
        """Add the public link for staff who may view shared program records."""
        may_view_links = request.user.has_perm("credit_pathways.view_programcertrecord")
        return [*self.fields, *(["public_record"] if may_view_links else [])]

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """Remove the deletion of many requests at once."""
        kwargs = {"action_location": action_location} if action_location else {}  # new in Django 6.1
        actions = super().get_actions(request, **kwargs)
        actions.pop("delete_selected", None)
        return actions

    def has_deliver_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("credit_pathways.deliver_usercreditpathway")

    @admin.action(description=_("Deliver again"), permissions=["deliver"])
    def deliver_again(self, request: HttpRequest, queryset: QuerySet[UserCreditPathway]) -> HttpResponse | None:
        return deliver_again.redirect_to_confirmation(request, self, queryset)

    @admin.display(description=_("request number"))
    def number(self, request: UserCreditPathway) -> str:
        """Return the ``id`` as people see it elsewhere: without thousands separators."""
        return str(request.pk)

    @admin.display(description=_("learner"))
    def learner(self, request: UserCreditPathway) -> str | SafeString:
        return row_link(self.admin_site, request.user)

    @admin.display(description=_("pathway"))
    def pathway_link(self, request: UserCreditPathway) -> str | SafeString:
        return row_link(self.admin_site, request.pathway)

    @admin.display(description=_("institution"))
    def institution(self, request: UserCreditPathway) -> str:
        return request.pathway.org_name

    @admin.display(description=_("program"))
    def program_link(self, request: UserCreditPathway) -> str | SafeString:
        return row_link(self.admin_site, request.program) if request.program else str(NOT_RECORDED)

    @admin.display(description=_("status"))
    def status_in_words(self, request: UserCreditPathway) -> str:
        return request.get_status_display()

    @admin.display(description=_("why it has not been sent"))
    def failure(self, request: UserCreditPathway) -> str:
        return request.failure_label or "-"

    @admin.display(description=_("bounced"), empty_value="")
    def bounced(self, request: UserCreditPathway) -> str:
        """Return the day, which is enough for the list: the request's page has the time."""
        return date_format(localtime(request.bounced_at), "DATE_FORMAT") if request.bounced_at else ""

    @admin.display(description=_("why it bounced"))
    def bounce(self, request: UserCreditPathway) -> str:
        if not request.bounced_at:
            return "-"
        reason = f" ({request.bounce_reason})" if request.bounce_reason else ""
        return f"{explain(request.bounce_reason)}{reason}"

    @admin.display(description=_("requested at"), ordering="created")
    def requested_at(self, request: UserCreditPathway) -> str:
        """Return ``created`` in the current time zone. Django formats the values of methods in lists only."""
        return date_format(localtime(request.created), "DATETIME_FORMAT")

    @admin.display(description=_("public record"))
    def public_record(self, request: UserCreditPathway) -> str | SafeString:
        """Return the public link, if the record is shared now."""
        records = ProgramCertRecord.objects.filter(user=request.user_id, program=request.program_id)
        record = records.select_related("user", "program__site").first()
        return public_record_link(record) if record else str(_("not shared"))
