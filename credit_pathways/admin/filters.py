"""The filter of the list of credit requests: one form, because there may be hundreds of programs to choose from."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ..database import is_id
from ..models import Pathway, Program, UserCreditPathway


class DayField(forms.DateField):
    """An optional day, far enough from the ends of the calendar for every time zone."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    default_validators = [MinValueValidator(date(1900, 1, 1)), MaxValueValidator(date(2200, 1, 1))]


class DayRangeForm(forms.Form):
    """A range of days. Both days are included."""

    since = DayField(label=pgettext_lazy("first day", "From"), required=False)
    until = DayField(label=pgettext_lazy("last day", "To"), required=False)

    def as_datetimes(self, zone: Any) -> dict[str, datetime | None]:
        """Return the range in the time zone ``zone``, as ``since`` (inclusive) and ``until`` (exclusive)."""
        since, until = self.cleaned_data["since"], self.cleaned_data["until"]
        return {
            "since": datetime.combine(since, time(), zone) if since else None,
            "until": datetime.combine(until + timedelta(days=1), time(), zone) if until else None,
        }


class IdSelectMixin:
    """For an autocomplete widget: accepts initial values that are not ids."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        return super().optgroups(name, [text for text in value if is_id(str(text))], attrs)  # type: ignore[misc]


class IdSelect(IdSelectMixin, AutocompleteSelect):
    """A choice of one row."""


class IdSelectMultiple(IdSelectMixin, AutocompleteSelectMultiple):
    """A choice of several rows."""


class IdField(forms.ModelChoiceField):
    """A choice of a row's id. The row is not looked up: the id of a missing row matches nothing."""

    def to_python(self, value: Any) -> int | None:
        if not value or is_id(value):
            return int(value) if value else None
        raise forms.ValidationError(self.error_messages["invalid_choice"], "invalid_choice", {"value": value})


class FilterForm(DayRangeForm):
    """The filters. Days are in the current time zone, as in the list."""

    status = forms.ChoiceField(
        label=_("Status"), choices=[("", "---------"), *UserCreditPathway.Status.choices], required=False
    )
    bounced = forms.ChoiceField(
        label=_("Bounced"), choices=[("", "---------"), ("yes", _("Yes")), ("no", _("No"))], required=False
    )
    institution = forms.ChoiceField(label=_("Institution"), required=False)
    pathway = forms.TypedChoiceField(label=_("Pathway"), required=False, coerce=int, empty_value=None)
    program = IdField(
        label=_("Program"),
        queryset=Program.objects.all(),
        required=False,
        widget=IdSelect(UserCreditPathway._meta.get_field("program"), admin.site),
    )
    field_order = ("status", "institution", "pathway", "program", "since", "until", "bounced")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices: dict[str, list[tuple[int, str]]] = {}
        for institution, pk, name in Pathway.objects.order_by("name", "pk").values_list("org_name", "pk", "name"):
            choices.setdefault(institution, []).append((pk, name))
        self.pathway_ids = {institution: [pk for pk, _name in pathways] for institution, pathways in choices.items()}
        institutions = sorted(choices)
        self._set_choices("institution", [(institution, institution) for institution in institutions])
        self._set_choices("pathway", [(institution, choices[institution]) for institution in institutions])

    def _set_choices(self, name: str, choices: list[Any]) -> None:
        self.fields[name].choices = [("", "---------"), *choices]  # type: ignore[attr-defined]

    def filter_queryset(self, requests: QuerySet[Any]) -> QuerySet[Any]:
        """Return the requests that match the form, or none if the form is invalid."""
        if not self.is_valid():
            return requests.none()
        data = self.cleaned_data
        days = self.as_datetimes(timezone.get_current_timezone())
        lookups = {
            "status": data["status"],
            "bounced_at__isnull": {"yes": False, "no": True}.get(data["bounced"]),
            # Not pathway__org_name, so that the database can use the index on the pathway.
            "pathway__in": self.pathway_ids.get(data["institution"]),
            "pathway": data["pathway"],
            "program": data["program"],
            "created__gte": days["since"],
            "created__lt": days["until"],
        }
        return requests.filter(**{name: value for name, value in lookups.items() if value not in (None, "")})


class RequestFilter(admin.ListFilter):
    """The form in the sidebar of the list."""

    title = _("Credit requests")
    template = "credit_pathways/admin/filter.html"

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[UserCreditPathway], model_admin: Any
    ) -> None:
        """Move the form's parameters out of ``params``, as Django's own filters do."""
        super().__init__(request, params, model, model_admin)
        for name in self.expected_parameters():
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]
        self.form = FilterForm(self.used_parameters)
        self.form.fields["program"].widget.admin_site = model_admin.admin_site
        is_registered = model_admin.admin_site.is_registered(Program)
        if not (is_registered and request.user.has_perm("credit_pathways.view_program")):
            # The autocomplete view would not return any programs.
            self.form.fields["program"].widget = forms.HiddenInput()
        others = request.GET.copy()
        for name in [*self.expected_parameters(), PAGE_VAR]:
            others.pop(name, None)
        #: Parameters to submit with the form: the search and the order.
        self.hidden_fields = [(name, value) for name, values in others.lists() for value in values]

    def expected_parameters(self) -> list[Any]:
        return list(FilterForm.base_fields)

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return self.form.filter_queryset(queryset)

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        """Return no choices, because the template renders the form."""
        return iter(())
