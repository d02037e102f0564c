"""Counting credit requests by program, pathway, institution, status or month, in one statement each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.db.models import Case, Count, Exists, F, OuterRef, QuerySet, Subquery, Value, When, Window
from django.db.models.functions import Coalesce, RowNumber, TruncMonth
from django.db.models.sql.constants import LOUTER
from django_cte import CTE, with_cte

from .models import Pathway, Program, UserCreditPathway


@dataclass(frozen=True)
class Line:
    """The requests that have ``key`` in common."""

    #: Id of the program or pathway, name of the institution, status, first day of the month; ``None``: no program.
    key: Any
    #: Title and uuid of the program; name, institution and uuid of the pathway; else nothing.
    names: tuple[Any, ...]
    requests: int
    #: Those of them that were the first of their kind.
    first: int
    #: How many different people made them.
    learners: int

    @property
    def repeats(self) -> int:
        """Return how many of the requests were not the first of their kind."""
        return self.requests - self.first


@dataclass(frozen=True)
class _Grouping:
    key: Any
    #: The model that the key points at, and the fields that name its rows.
    model: type[Program | Pathway] | None = None
    names: Sequence[str] = ()


_GROUPINGS = {
    "program": _Grouping(F("program_id"), Program, ("title", "uuid")),
    "pathway": _Grouping(F("pathway_id"), Pathway, ("name", "org_name", "uuid")),
    "institution": _Grouping(F("pathway_id")),
    "status": _Grouping(F("status")),
    "month": _Grouping(TruncMonth("created", tzinfo=UTC)),
}

#: What requests can be counted by. Months are those of UTC, so that all databases count the same.
GROUPINGS = tuple(_GROUPINGS)


def count_requests(by: str, *, since: datetime | None = None, until: datetime | None = None) -> list[Line]:
    """
    Count the requests from ``since``, included, to ``until``, excluded, by one of ``GROUPINGS``.

    The largest numbers come first; months come in their order, also those without a request between others.

    A request is the first of its kind if its learner had never asked before along the same pathway for the same
    program, in the range or earlier. Requests without a program are a kind of their own for each learner and pathway,
    and a line of their own, whose key is ``None``.
    """
    grouping = _GROUPINGS[by]
    numbered = CTE(_numbered(since, until, grouping.key))
    is_first = Case(When(nth=1, asked_before=False, then=Value(1)))
    numbers = {"requests": Count("nth"), "first": Count(is_first), "learners": Count("user_id", distinct=True)}
    if by == "institution":
        lines = _by_institution(numbered).values("key").annotate(**numbers)
    else:
        lines = with_cte(numbered, select=numbered.queryset().values(key=F("group")).annotate(**numbers))
    found = _named(lines, grouping).order_by(*(["key"] if by == "month" else ["-requests", "key"]))
    counted = [_line(values, grouping.names) for values in found]
    return _every_month(counted) if by == "month" else counted


def _every_month(lines: list[Line]) -> list[Line]:
    """Add the months between the first and the last in which nobody asked."""
    counted = {line.key: line for line in lines}
    months = sorted(counted)
    number, end = (month.year * 12 + month.month - 1 for month in (months[0], months[-1])) if months else (0, -1)
    every = [date(one // 12, one % 12 + 1, 1) for one in range(number, end + 1)]
    return [counted.get(month) or Line(month, (), 0, 0, 0) for month in every]


def _numbered(since: datetime | None, until: datetime | None, key: Any) -> QuerySet[UserCreditPathway, Any]:
    """Give each request in the range its number among those of its kind, and whether there was one before the range."""
    requests = UserCreditPathway.objects.all()
    asked_before: Any = Value(value=False)
    if since:
        requests = requests.filter(created__gte=since)
        asked_before = Exists(_same_kind().filter(created__lt=since))
    if until:
        requests = requests.filter(created__lt=until)
    nth = Window(RowNumber(), partition_by=["user", "pathway", "program"], order_by=["created", "pk"])
    # These columns only: MariaDB reads them from an index.
    return requests.annotate(nth=nth, asked_before=asked_before).values("user_id", "nth", "asked_before", group=key)


def _same_kind() -> QuerySet[UserCreditPathway]:
    """Return the requests with the learner, the pathway and the program, or lack of one, of an outer query's row."""
    same = UserCreditPathway.objects.filter(user=OuterRef("user"), pathway=OuterRef("pathway"))
    return same.alias(kind=Coalesce("program_id", 0)).filter(kind=Coalesce(OuterRef("program_id"), 0))


def _by_institution(numbered: CTE) -> Any:
    # An outer join: for an inner one MariaDB begins with the pathways, and takes three times as long.
    pathways = CTE(Pathway.objects.values(pathway=F("pk"), key=F("org_name")), name="pathways")
    joined = pathways.join(numbered.queryset(), group=pathways.col.pathway, _join_type=LOUTER)
    return with_cte(numbered, pathways, select=joined.annotate(key=pathways.col.key))


def _named(lines: Any, grouping: _Grouping) -> Any:
    if grouping.model is None:
        return lines
    row = grouping.model._base_manager.filter(pk=OuterRef("key"))
    return lines.annotate(**{f"_{name}": Subquery(row.values(name)) for name in grouping.names})


def _line(values: dict[str, Any], names: Sequence[str]) -> Line:
    key = values["key"]
    return Line(
        key=key.date() if isinstance(key, datetime) else key,
        names=tuple(values[f"_{name}"] for name in names),
        requests=values["requests"],
        first=values["first"],
        learners=values["learners"],
    )
