"""The catalog: what serves what, what can be requested and if not why, and how often it was."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localdate
from django.utils.translation import gettext_lazy as _

from ..models import Pathway, Program, UserCreditPathway
from .links import requests_link, row_link

RECENT = timedelta(days=30)


def count_recent(field: str, rows: Iterable[Any]) -> dict[int, int]:
    """
    Return the numbers of requests of the last 30 days for those of ``rows`` that have any, by key.

    In one statement for all: MySQL and MariaDB would read all requests of each row in a subquery.
    """
    requests = UserCreditPathway.objects.filter(
        **{f"{field}__in": [row.pk for row in rows]}, created__gte=timezone.now() - RECENT
    )
    return dict(requests.order_by().values_list(field).annotate(number=Count("*")))


class CountingList(ChangeList):
    """A list whose rows know how often they were requested recently."""

    def get_results(self, request: HttpRequest) -> None:
        """Count for the rows of the page."""
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        counted = count_recent(self.model_admin.request_field, self.result_list)  # type: ignore[attr-defined]
        for row in self.result_list:
            row.recent = counted.get(row.pk, 0)


class CatalogAdmin(admin.ModelAdmin):
    """What programs and pathways have in common."""

    #: The field of a credit request that points here.
    request_field: ClassVar[str]
    readonly_fields: ClassVar[Any] = ("recent_requests",)
    show_facets = admin.ShowFacets.NEVER

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Take from the address what the filters put there, and no other look-up."""
        return lookup.endswith("__exact") and lookup.split("__", maxsplit=1)[0] in self.list_filter

    def get_list_display(self, request: HttpRequest) -> Any:
        """Show how often credit was requested to those who may see requests."""
        return self._permitted(request, super().get_list_display(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show it to them on the page too."""
        return self._permitted(request, super().get_readonly_fields(request, obj))

    @staticmethod
    def _permitted(request: HttpRequest, names: Any) -> list[Any]:
        may_see = request.user.has_perm("credit_pathways.view_usercreditpathway")
        return [name for name in names if may_see or name != "recent_requests"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Count for the whole list at one time."""
        return CountingList

    @admin.display(description=_("requests of the last 30 days"))
    def recent_requests(self, row: Any) -> SafeString | str:
        """Return how many, with a link to them."""
        if not row.pk:
            return "-"
        recent = row.recent if hasattr(row, "recent") else count_recent(self.request_field, [row]).get(row.pk, 0)
        since = localdate(timezone.now() - RECENT).isoformat()
        return requests_link(recent, **{self.request_field: row.pk, "since": since})


@admin.register(Program)
class ProgramAdmin(CatalogAdmin):
    """The programs of the catalog."""

    request_field = "program"
    list_display = ("title", "type", "school", "status", "site", "recent_requests")
    list_filter = ("status", "site")
    list_select_related = ("site",)
    search_fields = ("title", "school")
    ordering = ("title", "id")
    readonly_fields = ("served_by", "recent_requests")

    @admin.display(description=_("pathways"))
    def served_by(self, program: Program) -> SafeString | str:
        """Return the pathways that serve it, each with what keeps learners from requesting credit along it."""
        if not program.pk:
            return "-"
        pathways = program.pathways.with_needs().order_by("name", "pk")
        elsewhere = str(_("No. It is of another site."))
        lines = (
            (row_link(pathway), _requestable(pathway) if pathway.site_id == program.site_id else elsewhere)
            for pathway in pathways
        )
        return format_html_join("", "<p>{}<br>{}</p>", lines) or str(_("None: link pathways to it in the catalog."))


@admin.register(Pathway)
class PathwayAdmin(CatalogAdmin):
    """The pathways of the catalog."""

    request_field = "pathway"
    list_display = ("name", "org_name", "email", "served", "requestable", "recent_requests", "status", "site")
    list_filter = ("status", "pathway_type", "site")
    list_select_related = ("site",)
    search_fields = ("name", "org_name", "email")
    autocomplete_fields = ("programs",)
    ordering = ("name", "id")
    readonly_fields = ("requestable", "recent_requests")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Find out what each lacks, and how many programs it serves."""
        links: QuerySet[Any] = Pathway.programs.through.objects.filter(pathway=OuterRef("pk")).order_by()
        counted = links.values("pathway").annotate(number=Count("*")).values("number")
        pathways: Any = super().get_queryset(request)
        return pathways.with_needs().annotate(served=Coalesce(Subquery(counted), 0))

    @admin.display(description=_("programs"), ordering="served")
    def served(self, pathway: Pathway) -> int:
        """Return how many programs it serves; its page says which."""
        return pathway.served  # type: ignore[attr-defined]

    @admin.display(description=_("requestable"))
    def requestable(self, pathway: Pathway) -> str:
        """Return whether learners can request credit along it, and if not why."""
        return _requestable(pathway) if pathway.pk else "-"


def _requestable(pathway: Pathway) -> str:
    return " ".join(map(str, [_("No."), *pathway.problems])) if pathway.problems else str(_("Yes."))
