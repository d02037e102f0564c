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

# Far enough from the limits of Python's and the databases' calendars that converting time zones cannot overflow them.
MIN_DATETIME, MAX_DATETIME = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_IN_RANGE: dict[str, Any] = {"validators": [MinValueValidator(MIN_DATETIME), MaxValueValidator(MAX_DATETIME)]}


def is_datetime(text: Any) -> bool:
    """Return whether ``text`` is an aware datetime between ``MIN_DATETIME`` and ``MAX_DATETIME``."""
    try:
        value = parse_datetime(str(text))
        return value is not None and MIN_DATETIME <= value <= MAX_DATETIME
    except (TypeError, ValueError, OverflowError):  # no time zone, or no such day
        return False


class CreditRequestFilter(FilterSet):
    """Filters by program, pathway, status, user, and when credit was requested."""

    program = django_filters.UUIDFilter(method="filter_program", label="uuid of the program")
    pathway = django_filters.NumberFilter(field_name="pathway_id", min_value=1, max_value=MAX_ID, decimal_places=0)
    user = django_filters.CharFilter(field_name=f"user__{get_user_model().USERNAME_FIELD}", label="username")
    created_after = django_filters.IsoDateTimeFilter(field_name="created", lookup_expr="gte", **_IN_RANGE)
    created_before = django_filters.IsoDateTimeFilter(field_name="created", lookup_expr="lt", **_IN_RANGE)

    class Meta:
        model = UserCreditPathway
        fields = ("status",)

    def filter_program(
        self, queryset: UserCreditPathwayQuerySet, name: str, program_uuid: UUID
    ) -> UserCreditPathwayQuerySet:
        return queryset.of_program(program_uuid)
