"""The credit requests: browsed, filtered, searched, delivered again, counted and exported."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from ..links import public_record_url
from ..models import ProgramCertRecord, UserCreditPathway
from . import deliver_again
from .filters import FilterForm, RequestFilter
from .learner_rows import LISTED, LearnerRowAdmin, is_key
from .links import row_link

NOT_RECORDED = _("not recorded")


@admin.register(UserCreditPathway)
class UserCreditPathwayAdmin(LearnerRowAdmin):
    """Credit requests. They are a record: nobody edits them."""

    age = ("created", "id")
    list_display = ("id", "learner", "pathway_link", "institution", "program_link", "status_in_words", "requested_at")
    list_filter = (RequestFilter,)
    filtered_by = tuple(FilterForm.base_fields)
    fields = ("learner", "pathway_link", "institution", "program_link", "status_in_words", "requested_at", "modified")
    search_help_text = _("A learner's whole username or email address, or the number of a request")
    actions = ("deliver_again",)
    change_list_template = "credit_pathways/admin/credit_requests.html"

    @property
    def media(self) -> Media:
        """The scripts and styles of the filter too."""
        return (
            super().media
            + FilterForm.base_fields["program"].widget.media
            + Media(css={"all": ["credit_pathways/admin/admin.css"]}, js=["credit_pathways/admin/filter.js"])
        )

    def get_urls(self) -> list[URLPattern]:
        """Add the pages that are not about one row."""
        view, name = self.admin_site.admin_view, "credit_pathways_usercreditpathway"
        return [
            path("export/", view(self.export_action), name=f"{name}_export"),
            path("report/", view(self.report), name=f"{name}_report"),
            path("report/<slug:by>.csv", view(self.report_csv), name=f"{name}_report_csv"),
            *deliver_again.urls(self),
            *super().get_urls(),
        ]

    # Few processes of a host are ever asked for these: what they need would be a good part of its start.

    def export_action(self, request: HttpRequest) -> HttpResponse:
        """Export what is filtered."""
        from .export import export

        return export(request, self)

    def report(self, request: HttpRequest) -> HttpResponse:
        """Show the report."""
        from .report import page

        return page(request, self)

    def report_csv(self, request: HttpRequest, by: str) -> HttpResponse:
        """Return a table of the report as CSV."""
        from .report import table

        return table(request, self, by)

    def exactly(self, term: str) -> Q:
        """Find a learner's requests, or the one of a number."""
        found = super().exactly(term)
        if is_key(term):
            found |= Q(pk=int(term))
        return found

    def get_fields(self, request: HttpRequest, obj: UserCreditPathway | None = None) -> Any:
        """Show the public link to those who may see public links."""
        may_see = request.user.has_perm("credit_pathways.view_programcertrecord")
        return [*self.fields, *(["public_record"] if may_see else [])]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Say where the list ends."""
        return super().changelist_view(request, {"listed": LISTED, **(extra_context or {})})

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """Offer no deletion of many: they are a record."""
        where = {"action_location": action_location} if action_location else {}  # Django 6.1
        actions = super().get_actions(request, **where)
        return {name: action for name, action in actions.items() if name != "delete_selected"}

    def has_deliver_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may deliver again."""
        return request.user.has_perm("credit_pathways.deliver_usercreditpathway")

    @admin.action(description=_("Deliver again"), permissions=["deliver"])
    def deliver_again(self, request: HttpRequest, queryset: QuerySet[UserCreditPathway]) -> HttpResponse | None:
        """Ask first."""
        return deliver_again.ask(self, request, queryset)

    @admin.display(description=_("learner"))
    def learner(self, request: UserCreditPathway) -> str | SafeString:
        """Return who asked."""
        return row_link(request.user)

    @admin.display(description=_("pathway"))
    def pathway_link(self, request: UserCreditPathway) -> str | SafeString:
        """Return along which pathway."""
        return row_link(request.pathway)

    @admin.display(description=_("institution"))
    def institution(self, request: UserCreditPathway) -> str:
        """Return whom."""
        return request.pathway.org_name

    @admin.display(description=_("program"))
    def program_link(self, request: UserCreditPathway) -> str | SafeString:
        """Return for which program; rows from before migration 0002 have none."""
        return row_link(request.program) if request.program else str(NOT_RECORDED)

    @admin.display(description=_("status"))
    def status_in_words(self, request: UserCreditPathway) -> str:
        """Return what is known of the email."""
        return request.get_status_display()

    @admin.display(description=_("requested at"), ordering="created")
    def requested_at(self, request: UserCreditPathway) -> str:
        """Return when, in the server's time zone; Django formats a method's moment in lists only."""
        return date_format(localtime(request.created), "DATETIME_FORMAT")

    @admin.display(description=_("public record"))
    def public_record(self, request: UserCreditPathway) -> str | SafeString:
        """Return the public link, if the record is shared now."""
        shared = ProgramCertRecord.objects.filter(user=request.user_id, program=request.program_id)
        record = shared.select_related("program__site").first() if request.program_id else None
        if record is None:
            return str(_("not shared"))
        return format_html('<a href="{0}">{0}</a>', public_record_url(record.program.site, record))
