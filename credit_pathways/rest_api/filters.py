"""Filters of the list of credit requests."""

from datetime import UTC, datetime
from typing import Any

import django_filters
from django.contrib.auth import get_user_model
from django.core.validators import MaxValueValidator, MinValueValidator
from django_filters.rest_framework import FilterSet

from ..models import MAX_ID, UserCreditPathway

#: Far from where a date of a time zone would leave the calendar.
_DATES: dict[str, Any] = {
    "validators": [
        MinValueValidator(datetime(1900, 1, 1, tzinfo=UTC)),
        MaxValueValidator(datetime(2200, 1, 1, tzinfo=UTC)),
    ]
}


class CreditRequestFilter(FilterSet):
    """By program, pathway, status, user, and when they were requested."""

    program = django_filters.UUIDFilter(field_name="program__uuid", label="uuid of the program")
    pathway = django_filters.NumberFilter(field_name="pathway_id", min_value=1, max_value=MAX_ID, decimal_places=0)
    user = django_filters.CharFilter(field_name=f"user__{get_user_model().USERNAME_FIELD}", label="username")
    created_after = django_filters.IsoDateTimeFilter(field_name="created", lookup_expr="gte", **_DATES)
    created_before = django_filters.IsoDateTimeFilter(field_name="created", lookup_expr="lt", **_DATES)

    class Meta:
        """The status has the model's choices."""

        model = UserCreditPathway
        fields = ("status",)
