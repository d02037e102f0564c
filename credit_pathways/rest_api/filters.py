"""Filters of the list of credit requests."""

from typing import Any
from uuid import UUID

import django_filters
from django.core.validators import MaxValueValidator, MinValueValidator
from django_filters.rest_framework import FilterSet
from drf_spectacular.utils import extend_schema_field
from rest_framework.serializers import IntegerField

from ..models import MAX_DATETIME, MAX_ID, MIN_DATETIME, Pathway, UserCreditPathway, UserCreditPathwayQuerySet
from ..shortcuts import find_learner

_IN_RANGE: dict[str, Any] = {"validators": [MinValueValidator(MIN_DATETIME), MaxValueValidator(MAX_DATETIME)]}


class CreditRequestFilter(FilterSet):
    """Filters by program, pathway, institution, status, user, and when credit was requested."""

    program = django_filters.UUIDFilter(method="filter_program", label="uuid of the program")
    pathway = extend_schema_field(IntegerField(min_value=1, max_value=MAX_ID))(
        django_filters.NumberFilter(
            field_name="pathway_id", lookup_expr="exact", min_value=1, max_value=MAX_ID, decimal_places=0
        )
    )
    institution = django_filters.CharFilter(method="filter_institution", strip=False, label="name of the institution")
    status = django_filters.ChoiceFilter(lookup_expr="exact", choices=UserCreditPathway.Status.choices, null_label=None)
    user = django_filters.CharFilter(method="filter_user", strip=False, label="username")
    created_after = django_filters.IsoDateTimeFilter(field_name="created", lookup_expr="gte", **_IN_RANGE)
    created_before = django_filters.IsoDateTimeFilter(field_name="created", lookup_expr="lt", **_IN_RANGE)

    class Meta:
        model = UserCreditPathway
        fields = ()

    def filter_program(self, queryset: UserCreditPathwayQuerySet, name: str, uuid: UUID) -> UserCreditPathwayQuerySet:
        return queryset.of_program(uuid)

    def filter_institution(
        self, queryset: UserCreditPathwayQuerySet, name: str, institution: str
    ) -> UserCreditPathwayQuerySet:
        """Compare here, because some database collations ignore case, accents and trailing spaces."""
        pathways = Pathway.objects.values_list("pk", "org_name")
        return queryset.filter(pathway__in=[pk for pk, org_name in pathways if org_name == institution])

    def filter_user(self, queryset: UserCreditPathwayQuerySet, name: str, username: str) -> UserCreditPathwayQuerySet:
        learner = find_learner(username)
        return queryset.filter(user=learner.pk) if learner else queryset.none()
