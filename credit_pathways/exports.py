"""Export credit requests as rows of a table."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from .models import UserCreditPathway
from .sanitize import table_cell

Cell: TypeAlias = str | int

#: How many rows are in memory at once.
ROWS_PER_CHUNK = 2_000

#: The lookup that each column is read from. To add a column, add it here: every export follows. The columns have the
#: names of the fields in ``api/v1/credit_requests/``.
_LOOKUPS = {
    "id": "pk",
    "username": "user__{username}",
    "pathway_id": "pathway_id",
    "pathway": "pathway__name",
    "institution": "pathway__org_name",
    "program_uuid": "program__uuid",
    "program": "program__title",
    "status": "status",
    "completed": "completed",
    "sent_to": "sent_to",
    "attempts": "attempts",
    "failure_reason": "failure_reason",
    "bounced_at": "bounced_at",
    "bounce_reason": "bounce_reason",
    "created": "created",
    "modified": "modified",
}
COLUMNS = tuple(_LOOKUPS)


def export_rows(requests: QuerySet[UserCreditPathway]) -> Iterator[tuple[Cell, ...]]:
    """
    Yield ``requests``, ordered by id, as rows of ``COLUMNS``, in constant memory.

    Each text is one line that no spreadsheet runs as a formula. Times are in UTC, in ISO 8601 format. Booleans are
    ``true`` or ``false``, as in JSON. The cells of null values and of a missing program are empty.
    """
    username = get_user_model().USERNAME_FIELD
    lookups = [lookup.format(username=username) for lookup in _LOOKUPS.values()]
    last = 0
    # Not iterator(), because MySQL's client fetches all rows of a cursor at once. The keys are read without joins,
    # because MySQL may start with the joined table and sort a million rows for each chunk.
    while keys := list(requests.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:ROWS_PER_CHUNK]):
        chunk = UserCreditPathway.objects.filter(pk__in=keys).order_by("pk").values_list(*lookups)
        yield from (tuple(_cell(value) for value in row) for row in chunk)
        last = keys[-1]


def _cell(value: Any) -> Cell:
    if value is None:
        return ""
    if isinstance(value, bool):  # before int, its base class
        return str(value).lower()
    if isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return table_cell(value)
