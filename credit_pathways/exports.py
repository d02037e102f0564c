"""Credit requests as the rows of a table, for other software."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from .models import UserCreditPathway
from .sanitize import no_formula, one_line

Cell: TypeAlias = str | int

#: As many rows as are in memory at one time.
CHUNK = 2_000

#: The columns in their order, named as the fields of ``api/v1/credit_requests/``; each with what it is read from.
_SOURCES = {
    "id": "pk",
    "username": "user__{username}",
    "pathway_id": "pathway_id",
    "pathway": "pathway__name",
    "institution": "pathway__org_name",
    "program_uuid": "program__uuid",
    "program": "program__title",
    "status": "status",
    "created": "created",
    "modified": "modified",
}
COLUMNS = tuple(_SOURCES)


def export_rows(requests: QuerySet[UserCreditPathway]) -> Iterator[tuple[Cell, ...]]:
    """
    Yield ``requests``, by id, as rows of ``COLUMNS``, whatever their number in constant memory.

    Each text is one line that no spreadsheet runs as a formula. Times are in UTC, in the form of ISO 8601; where there
    is no program its cells are empty.
    """
    username = get_user_model().USERNAME_FIELD
    fields = [source.format(username=username) for source in _SOURCES.values()]
    last = 0
    # By keys, and not with a cursor: MySQL's client would fetch all rows at once. The rows' keys first, and then what
    # they are joined with, for MySQL may begin a join with the other table, and sort a million rows for each chunk.
    while keys := list(requests.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        chunk = UserCreditPathway.objects.filter(pk__in=keys).order_by("pk").values_list(*fields)
        yield from (tuple(_cell(value) for value in row) for row in chunk)
        last = keys[-1]


def _cell(value: Any) -> Cell:
    if value is None:
        return ""
    if isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return no_formula(one_line(value))
