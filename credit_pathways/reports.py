"""Count credit requests by program, pathway, institution, status or month, in one query each, and their bounces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from django.db import connections
from django.db.models import (
    Case,
    Count,
    DateField,
    Exists,
    F,
    Max,
    Min,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
    When,
    Window,
)
from django.db.models.functions import Cast, Coalesce, FirstValue, RowNumber, TruncMonth
from django.db.models.sql.constants import LOUTER
from django_cte import CTE, with_cte

from .models import Pathway, Program, UserCreditPathway


@dataclass(frozen=True)
class Line:
    """A line of a report: the requests with the same ``key``."""

    #: The program's or pathway's id, the institution's name, the status, or the first day of the month. ``None`` for
    #: requests without a program.
    key: Any
    #: The program's title and uuid, or the pathway's name, institution and uuid. Otherwise empty.
    names: tuple[Any, ...]
    requests: int
    #: How many of the requests were first requests; see ``count_requests``.
    first: int
    #: How many distinct learners made the requests.
    learners: int
    #: How many of the requests bounced. Not filled in by ``count_requests``; see ``count_bounces``.
    bounced: int = 0

    @property
    def repeats(self) -> int:
        return self.requests - self.first


@dataclass(frozen=True)
class _Grouping:
    #: An expression.
    key: Any
    #: The model that the key refers to, and the fields that name its rows.
    model: type[Program | Pathway] | None = None
    names: Sequence[str] = ()


_GROUPINGS = {
    "program": _Grouping(F("program_id"), Program, ("title", "uuid")),
    "pathway": _Grouping(F("pathway_id"), Pathway, ("name", "org_name", "uuid")),
    "institution": _Grouping(F("pathway_id")),
    "status": _Grouping(F("status")),
    "month": _Grouping(None),  # see _key
}

#: What requests can be counted by. Months are in UTC, so that the result is the same on every database.
GROUPINGS = tuple(_GROUPINGS)


def count_requests(by: str, *, since: datetime | None = None, until: datetime | None = None) -> list[Line]:
    """
    Count the requests from ``since``, inclusive, to ``until``, exclusive, by one of ``GROUPINGS``.

    The largest counts come first. Months are in order, and include those without requests between others.

    A request is a first request if its learner had never requested credit for the same program through the same
    pathway before, in the range or earlier. Otherwise it is a repeat. Requests without a program are only compared
    with each other, and have a line of their own, whose key is ``None``.
    """
    grouping = _GROUPINGS[by]
    numbered = CTE(_numbered(since, until, _key(by)))
    is_first = Case(When(nth=1, requested_before=False, then=Value(1)))
    counts = {"requests": Count("nth"), "first": Count(is_first), "learners": Count("user_id", distinct=True)}
    if by == "institution":
        rows = _by_institution(numbered).values("key").annotate(**counts)
    else:
        rows = with_cte(numbered, select=numbered.queryset().values(key=F("group")).annotate(**counts))
    ordered = _with_names(rows, grouping).order_by(*(["key"] if by == "month" else ["-requests", "key"]))
    lines = [_line(row, grouping.names) for row in ordered]
    return _with_empty_months(lines) if by == "month" and lines else lines


def count_bounces(*, since: datetime | None = None, until: datetime | None = None) -> dict[str, Counter[Any]]:
    """
    Count the requests in the range that bounced: for each of ``GROUPINGS``, by the key of the line.

    This is one query for all of them. The queries of ``count_requests`` would no longer read an index alone.
    """
    bounced = _in_range(UserCreditPathway.objects.filter(bounced_at__isnull=False), since, until)
    institutions = _institutions()
    # An outer join for the same reason as in _by_institution.
    joined = institutions.join(bounced, pathway=institutions.col.pathway, _join_type=LOUTER)
    keys = {by: _key(by) for by in _GROUPINGS} | {"institution": institutions.col.key}
    rows = with_cte(institutions, select=joined.values_list(*keys.values()).annotate(requests=Count("pk")))
    counts: dict[str, Counter[Any]] = {by: Counter() for by in keys}
    for *values, requests in rows:
        for by, value in zip(keys, values, strict=True):
            counts[by][_plain(value)] += requests
    return counts


def _key(by: str) -> Any:
    return _month() if by == "month" else _GROUPINGS[by].key


def _month() -> Any:
    """Return the expression for the first day of the month in UTC."""
    requests = UserCreditPathway.objects.all()
    connection = connections[requests.db]
    if connection.timezone_name == "UTC" or connection.features.has_zoneinfo_database:
        return TruncMonth("created", tzinfo=UTC)
    # MySQL and MariaDB without their time zone tables cannot convert times, but they can compare them.
    limits = requests.aggregate(first=Min("created"), last=Max("created"))
    days = [limit.astimezone(UTC) for limit in limits.values() if limit]
    starts = {month: datetime.combine(month, time(), UTC) for month in reversed(_months(*days) if days else [])}
    # Cast, because a parameter of the query would come back as text.
    dates = {month: Cast(Value(month.isoformat()), DateField()) for month in starts}
    cases = [When(created__gte=start, then=dates[month]) for month, start in starts.items()]
    return Case(*cases, output_field=DateField())


def _months(first: date, last: date) -> list[date]:
    """Return the first day of each month from ``first`` to ``last``."""
    start, end = (day.year * 12 + day.month - 1 for day in (first, last))
    return [date(number // 12, number % 12 + 1, 1) for number in range(start, end + 1)]


def _with_empty_months(lines: list[Line]) -> list[Line]:
    by_month = {line.key: line for line in lines}
    return [by_month.get(month) or Line(month, (), 0, 0, 0) for month in _months(lines[0].key, lines[-1].key)]


def _numbered(since: datetime | None, until: datetime | None, key: Any) -> QuerySet[UserCreditPathway, Any]:
    """Return the requests in the range, numbered among the same requests; see ``_same_requests``."""
    requests = _in_range(UserCreditPathway.objects.all(), since, until)
    requested_before: Any = Value(value=False)
    if since:
        requested_before = Exists(_same_requests().filter(created__lt=since))
    nth = Window(RowNumber(), partition_by=["user", "pathway", "program"], order_by=["created", "pk"])
    # Only these columns, because MariaDB can read them from an index.
    annotated = requests.annotate(nth=nth, requested_before=requested_before)
    return annotated.values("user_id", "nth", "requested_before", group=key)


def _in_range(
    requests: QuerySet[UserCreditPathway], since: datetime | None, until: datetime | None
) -> QuerySet[UserCreditPathway]:
    limits = {"created__gte": since, "created__lt": until}
    return requests.filter(**{lookup: limit for lookup, limit in limits.items() if limit})


def _same_requests() -> QuerySet[UserCreditPathway]:
    """Return the requests with the learner, pathway and program (or none) of an outer query's row."""
    requests = UserCreditPathway.objects.filter(user=OuterRef("user"), pathway=OuterRef("pathway"))
    program = Coalesce(OuterRef("program_id"), 0)
    return requests.alias(program_or_zero=Coalesce("program_id", 0)).filter(program_or_zero=program)


def _by_institution(numbered: CTE) -> Any:
    # An outer join, because with an inner one MariaDB starts with the pathways and takes three times as long.
    institutions = _institutions()
    joined = institutions.join(numbered.queryset(), group=institutions.col.pathway, _join_type=LOUTER)
    return with_cte(numbered, institutions, select=joined.annotate(key=institutions.col.key))


def _institutions() -> CTE:
    """Return the institution of each pathway, spelled in one way where the database ignores case, as MySQL does."""
    key = Window(FirstValue("org_name"), partition_by=["org_name"], order_by=["pk"])
    return CTE(Pathway.objects.values(pathway=F("pk"), key=key), name="institutions")


def _with_names(rows: Any, grouping: _Grouping) -> Any:
    if grouping.model is None:
        return rows
    named = grouping.model._base_manager.filter(pk=OuterRef("key"))
    return rows.annotate(**{f"_{name}": Subquery(named.values(name)) for name in grouping.names})


def _line(row: dict[str, Any], names: Sequence[str]) -> Line:
    return Line(
        key=_plain(row["key"]),
        names=tuple(row[f"_{name}"] for name in names),
        requests=row["requests"],
        first=row["first"],
        learners=row["learners"],
    )


def _plain(key: Any) -> Any:
    return key.date() if isinstance(key, datetime) else key
