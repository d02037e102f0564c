"""What the admins of rows that learners make have in common: they are read only, and their tables are large."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from ..models import MAX_ID

#: How many rows a list counts, and so pages through; and how many the admin exports.
LISTED = 10_000
#: More people than this do not share an address.
NAMESAKES = 100


def is_key(text: str) -> bool:
    """Return whether ``text`` is what a row's number is written as."""
    return len(text) <= len(str(MAX_ID)) and text.isdecimal() and int(text) <= MAX_ID


def count_listed(queryset: QuerySet[Any]) -> int:
    """Count the rows, up to ``LISTED``: counting a million takes longer than all else on the page."""
    return queryset.order_by().values("pk")[:LISTED].count()


class BoundedPaginator(Paginator):
    """Pages of the first ``LISTED`` rows."""

    @cached_property
    def count(self) -> int:
        """Return how many rows there are in all pages."""
        return count_listed(self.object_list)  # type: ignore[arg-type]


class NewestFirst(ChangeList):
    """
    A list whose newest row comes first; or last, if the only column to sort by asks for that.

    What it shows of other tables is joined when the rows of the page are known. MySQL and MariaDB may otherwise begin
    the join with the other table, or sort all rows for a page far down, rather than read an index in its order.
    """

    def get_results(self, request: HttpRequest) -> None:
        """Find the keys of the page's rows, and then the rows."""
        super().get_results(request)
        keys = list(self.result_list.values_list("pk", flat=True))
        related = [field.name for field in self.lookup_opts.fields if field.is_relation]
        rows = self.root_queryset.filter(pk__in=keys).select_related(*related)
        self.result_list = rows.order_by(*self.get_ordering(request, self.root_queryset))

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Order all columns in the same direction, or no index serves."""
        ascending = super().get_ordering(request, queryset)[0] == "created"
        return [name if ascending else f"-{name}" for name in self.model_admin.age]  # type: ignore[attr-defined]


class LearnerRowAdmin(admin.ModelAdmin):
    """
    Rows that only a learner makes; staff read them, and delete them if they may (ADR 0005).

    Searching is exact: no index serves a part of a name (ADR 0013).
    """

    #: Indexed columns that tell which row is older.
    age: ClassVar[Any] = ("id",)
    #: Names that the filters read in the address.
    filtered_by: ClassVar[Any] = ()
    ordering = ("-created",)
    sortable_by = ("created", "requested_at")
    search_fields = ("user",)  # there is a search; exactly() says for what
    list_per_page = 50
    list_select_related = ()  # not before the rows of the page are known
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each would count all rows

    def exactly(self, term: str) -> Q:
        """Return what finds the rows of the users whose whole username or email address is ``term``."""
        user = get_user_model()
        named = Q(**{user.USERNAME_FIELD: term})
        if "@" in term:
            named |= Q(**{user.get_email_field_name(): term})
        return Q(user__in=list(user._default_manager.filter(named).values_list("pk", flat=True)[:NAMESAKES]))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Model], search_term: str
    ) -> tuple[QuerySet[Model], bool]:
        """Find the rows that the whole term names."""
        term = search_term.strip()
        return queryset.filter(self.exactly(term)) if term else queryset, False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """List the newest first."""
        return NewestFirst

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Take from the address what a filter of the list reads, and no other look-up: most would read all rows."""
        return lookup in self.filtered_by

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for that very permission: nobody changes these rows, so that permission says nothing."""
        return request.user.has_perm(f"{self.opts.app_label}.view_{self.opts.model_name}")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody shares a record, or requests credit, on a learner's behalf."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows are read only."""
        return False
