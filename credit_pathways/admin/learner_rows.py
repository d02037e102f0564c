"""The base class for the admins of rows that only learners create: read-only, and fast on large tables."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.core.exceptions import BadRequest, ValidationError
from django.core.paginator import Paginator
from django.db.models import F, Model, Q, QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.utils.functional import cached_property

from .. import database
from ..users import has_field

#: The maximum number of rows that a list counts and pages through, and that the admin exports.
MAX_LISTED_ROWS = 10_000
#: A search for an email address finds the rows of at most this many users.
MAX_USERS_PER_EMAIL = 100


def _user_ids(expression: Any, value: str) -> list[Any]:
    """Return the keys of users with this value, also of those whom the default manager may leave out."""
    users = get_user_model()._base_manager.annotate(searched=expression)
    try:
        found = users.filter(searched=value)
    except (ValueError, ValidationError):  # not a number or a UUID, which this host uses as usernames
        return []
    return database.matching(found.values_list("pk", flat=True)[:MAX_USERS_PER_EMAIL])


class BoundedPaginator(Paginator):
    """Pages of the first ``MAX_LISTED_ROWS`` rows: counting a million takes longer than the rest of the page."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by().values("pk")[:MAX_LISTED_ROWS].count()  # type: ignore[attr-defined]


class NewestFirstChangeList(ChangeList):
    """
    A list with the newest row first, or last if staff sort it by date in ascending order.

    Related rows are joined only once the ids of the page's rows are known. Otherwise, MySQL and MariaDB may start the
    join at the other table, or sort all rows for a page far down, instead of reading an index in its order.
    """

    def get_results(self, request: HttpRequest) -> None:
        """Query the ids of the page's rows, and then the rows."""
        super().get_results(request)
        ids = list(self.result_list.values_list("pk", flat=True))
        related = [field.name for field in self.lookup_opts.fields if field.is_relation]
        rows = self.root_queryset.filter(pk__in=ids).select_related(*related)
        self.result_list = rows.order_by(*self.get_ordering(request, self.root_queryset))

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Order by all fields in the same direction, so that the database can use an index."""
        ascending = super().get_ordering(request, queryset)[0] == "created"
        fields = self.model_admin.order_fields  # type: ignore[attr-defined]
        return [name if ascending else f"-{name}" for name in fields]


class AsciiRow:
    """A row for an entry of the history, whose table may not have all characters that the row's, or a language, has."""

    def __init__(self, row: Model) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)

    def __str__(self) -> str:
        return str(self._row).encode("ascii", "replace").decode()


def _log(log: Callable[[Any], Any], rows: Iterable[Any]) -> Any:
    try:
        with database.any_text():
            return log(rows)
    except database.UnsupportedText:
        return log([AsciiRow(row) for row in rows])


class RowAdmin(admin.ModelAdmin):
    """Keeps a history of every row, and refuses to carry out an action for what cannot be a row's id."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        log = super().log_addition
        return _log(lambda rows: log(request, rows[0], message), [obj])

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        log = super().log_change
        return _log(lambda rows: log(request, rows[0], message), [obj])

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        log = super().log_deletions
        return _log(lambda rows: log(request, rows), queryset)

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not all(map(database.is_id, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            raise BadRequest("An id of a row is malformed.")
        return super().response_action(request, *args, **kwargs)


class LearnerRowAdmin(RowAdmin):
    """
    Rows that only learners create. Staff can view them, and delete them if they have the permission (ADR 0005).

    Searches match whole values only, because no index serves a search for a part of a name (ADR 0013).
    """

    #: Indexed fields to order the list by.
    order_fields: ClassVar[Any] = ("id",)
    #: Query parameters that the list accepts. Lookups in other fields would read the whole table.
    allowed_lookups: ClassVar[Any] = ()
    ordering = ("-created",)
    sortable_by = ("created", "requested_at")
    search_fields = ("user",)  # shows the search box; see exact_match()
    list_per_page = 50
    list_select_related = ()  # see NewestFirstChangeList
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each facet would count all rows

    def exact_match(self, term: str) -> Q:
        """
        Return the condition for the rows of the users whose username or email address is ``term``.

        People write the same address in different cases.
        """
        model = get_user_model()
        ids = _user_ids(F(model.USERNAME_FIELD), term)
        if "@" in term and has_field(model, model.get_email_field_name()):
            # Not iexact, which some collations of MySQL and MariaDB (utf8mb4_bin) take as exact.
            ids += _user_ids(Lower(model.get_email_field_name()), term.lower())
            ids += _user_ids(F(model.get_email_field_name()), term)  # SQLite lowers only ASCII letters
        return Q(user__in=ids)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Model], search_term: str
    ) -> tuple[QuerySet[Model], bool]:
        term = search_term.strip()
        return queryset.filter(self.exact_match(term)) if term else queryset, False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestFirstChangeList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup in self.allowed_lookups

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Require the view permission. Django also accepts the change permission, which has no use here."""
        return request.user.has_perm(f"{self.opts.app_label}.view_{self.opts.model_name}")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return ``False``: staff never share a record or request credit on a learner's behalf."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
