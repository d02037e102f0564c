"""Pages of the list of credit requests."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from ..database import is_id
from ..models import UserCreditPathway, is_storable_datetime


class CreditRequestPagination(CursorPagination):
    """
    Newest first, and each row exactly once. The last page with any filter is as fast as the first (ADR 0013).

    A cursor of Django REST framework holds a time and counts the rows that share it, up to 1,000. This one holds the
    time and the id of the row it starts from, which no other row has.
    """

    ordering = ("-created", "-id")
    page_size = 100

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        self.base_url = request.build_absolute_uri()
        cursor = self.decode_cursor(request)
        rows = list(_rows_from(queryset, cursor)[: self.page_size + 1])
        has_more, has_origin = len(rows) > self.page_size, cursor.position is not None
        self.page = page = rows[: self.page_size]
        if cursor.reverse:
            page.reverse()
        self.has_previous, self.has_next = (has_more, has_origin) if cursor.reverse else (has_origin, has_more)
        return page

    def get_next_link(self) -> str | None:
        return self._link(list(self.page or [])[-1:], reverse=False) if self.has_next else None

    def get_previous_link(self) -> str | None:
        return self._link(list(self.page or [])[:1], reverse=True) if self.has_previous else None

    def _link(self, row: Sequence[UserCreditPathway], *, reverse: bool) -> str:
        """Return a link to the page after, or before, the only ``row``; without one, to the first or last page."""
        position: Any = f"{row[0].created.isoformat()} {row[0].pk}" if row else None
        return self.encode_cursor(Cursor(0, reverse, position))

    def decode_cursor(self, request: Request) -> Cursor:
        """Decode the cursor. Raise ``NotFound`` also for a forged position, which could be an error in the database."""
        cursor = super().decode_cursor(request) or Cursor(0, reverse=False, position=None)
        if cursor.position is not None and _parse_position(str(cursor.position)) is None:
            raise NotFound(self.invalid_cursor_message)
        return cursor


def _rows_from(queryset: QuerySet[UserCreditPathway], cursor: Cursor) -> QuerySet[UserCreditPathway]:
    """Return the rows after the cursor's position, newest first or, if it is reversed, before it, oldest first."""
    comparison, sign = ("gt", "") if cursor.reverse else ("lt", "-")
    if position := _parse_position(str(cursor.position)):
        created, pk = position
        # Not one condition with "or", for which databases would not read a range of the index.
        same_time = {"created": created, f"pk__{'lte' if cursor.reverse else 'gte'}": pk}
        queryset = queryset.filter(**{f"created__{comparison}e": created}).exclude(**same_time)
    return queryset.order_by(f"{sign}created", f"{sign}pk")


def _parse_position(text: str) -> tuple[datetime, int] | None:
    """Return the time and the id of the row that a cursor names, or ``None`` if no row can have them."""
    time, _space, pk = text.partition(" ")
    try:
        created = parse_datetime(time)
        is_valid = is_storable_datetime(created) and is_id(pk)
    except (ValueError, OverflowError):  # no such day
        return None
    return (created, int(pk)) if created and is_valid else None
