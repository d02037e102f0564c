"""Filters of the list of credit requests."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import django_filters
from django.contrib.auth import get_user_model
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.dateparse import parse_datetime
from django_filters.rest_framework import FilterSet

from ..models import MAX_ID, UserCreditPathway, UserCreditPathwayQuerySet

#: Far from where a date of a time zone would leave the calendar.
FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_DATES: dict[str, Any] = {"validators": [MinValueValidator(FIRST), MaxValueValidator(LAST)]}


def is_datetime(text: Any) -> bool:
    """Return whether ``text`` is what a moment of the last and the next centuries is printed as."""
    try:
        moment = parse_datetime(str(text))
        return moment is not None and FIRST <= moment <= LAST
    except (TypeError, ValueError, OverflowError):  # no time zone, or no such day
        return False


class CreditRequestFilter(FilterSet):
    """By program, pathway, status, user, and when they were requested."""

    program = django_filters.UUIDFilter(method="of_program", label="uuid of the program")
    pathway = django_filters.NumberFilter(field_name="pathway_id", min_value=1, max_value=MAX_ID, decimal_places=0)
    user = django_filters.CharFilter(field_name=f"user__{get_user_model().USERNAME_FIELD}", label="username")
    created_after = django_filters.IsoDateTimeFilter(field_name="created", lookup_expr="gte", **_DATES)
    created_before = django_filters.IsoDateTimeFilter(field_name="created", lookup_expr="lt", **_DATES)

    class Meta:
        """The status has the model's choices."""

        model = UserCreditPathway
        fields = ("status",)

    def of_program(
        self, requests: UserCreditPathwayQuerySet, name: str, program_uuid: UUID
    ) -> UserCreditPathwayQuerySet:
        """Return the requests for the program."""
        return requests.of_program(program_uuid)
