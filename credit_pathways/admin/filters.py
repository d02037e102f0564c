"""The filter of the credit requests: one form, for nobody can choose from links to hundreds of programs."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ..models import Pathway, Program, UserCreditPathway
from .learner_rows import is_key

#: Far from where a day of a time zone would leave the calendar.
FIRST_DAY, LAST_DAY = datetime(1900, 1, 1).date(), datetime(2200, 1, 1).date()  # noqa: DTZ001  only the day counts

DAY_FIELD: dict[str, Any] = {
    "required": False,
    "validators": [MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)],
    "widget": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
}


def day_range(cleaned_data: dict[str, Any], zone: Any) -> dict[str, datetime | None]:
    """Return the moments, included and excluded, between which the days from ``since`` to ``until`` lie."""
    since, until = cleaned_data.get("since"), cleaned_data.get("until")
    return {
        "since": datetime.combine(since, time(), zone) if since else None,
        "until": datetime.combine(until + timedelta(days=1), time(), zone) if until else None,
    }


class KeySelect(AutocompleteSelect):
    """A choice among many rows, also of a value that is no key."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        """Return the chosen row as the only option; the browser asks for the others."""
        return super().optgroups(name, [text for text in value if is_key(text)], attrs)


class KeyField(forms.ModelChoiceField):
    """A choice of a row of which only the key is wanted, and is not looked up: that of no row finds nothing."""

    def to_python(self, value: Any) -> Any:
        """Return the key, as a number."""
        if not value or is_key(value):
            return int(value) if value else None
        raise forms.ValidationError(self.error_messages["invalid_choice"], "invalid_choice", {"value": value})


class FilterForm(forms.Form):
    """What the list can be filtered by; days are the server's, as the list shows them."""

    status = forms.ChoiceField(
        label=_("Status"), choices=[("", "---------"), *UserCreditPathway.Status.choices], required=False
    )
    institution = forms.ChoiceField(label=_("Institution"), required=False)
    pathway = forms.TypedChoiceField(label=_("Pathway"), required=False, coerce=int, empty_value=None)
    program = KeyField(
        label=_("Program"),
        queryset=Program.objects.all(),
        required=False,
        widget=KeySelect(UserCreditPathway._meta.get_field("program"), admin.site),
    )
    since = forms.DateField(label=pgettext_lazy("first day", "From"), **DAY_FIELD)
    until = forms.DateField(label=pgettext_lazy("last day", "To"), **DAY_FIELD)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the institutions, and each one's pathways."""
        super().__init__(*args, **kwargs)
        choices: dict[str, list[tuple[int, str]]] = {}
        for institution, key, name in Pathway.objects.order_by("name", "pk").values_list("org_name", "pk", "name"):
            choices.setdefault(institution, []).append((key, name))
        self.pathways_of = {institution: [key for key, _name in offered] for institution, offered in choices.items()}
        institutions = sorted(choices)
        self._offer("institution", [(institution, institution) for institution in institutions])
        self._offer("pathway", [(institution, choices[institution]) for institution in institutions])

    def _offer(self, name: str, choices: list[Any]) -> None:
        self.fields[name].choices = [("", "---------"), *choices]  # type: ignore[attr-defined]

    def filtered(self, requests: QuerySet[Any]) -> QuerySet[Any]:
        """Return those of ``requests`` that the form asks for; none if it cannot be understood."""
        if not self.is_valid():
            return requests.none()
        wanted = self.cleaned_data
        days = day_range(wanted, timezone.get_current_timezone())
        lookups = {
            "status": wanted["status"],
            # By keys, so that the index of the pathways serves.
            "pathway__in": self.pathways_of.get(wanted["institution"]),
            "pathway": wanted["pathway"],
            "program": wanted["program"],
            "created__gte": days["since"],
            "created__lt": days["until"],
        }
        return requests.filter(**{name: value for name, value in lookups.items() if value not in (None, "")})


class RequestFilter(admin.ListFilter):
    """The form, beside the list."""

    title = _("Credit requests")
    template = "credit_pathways/admin/filter.html"

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[UserCreditPathway], model_admin: Any
    ) -> None:
        """Take from ``params``, as all filters do, what is the form's."""
        super().__init__(request, params, model, model_admin)
        for name in self.expected_parameters():
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]
        self.form = FilterForm(self.used_parameters)
        if not request.user.has_perm("credit_pathways.view_program"):
            # The browser would ask for the programs in vain.
            self.form.fields["program"].widget = forms.HiddenInput()
        others = request.GET.copy()
        for name in [*self.expected_parameters(), "p"]:
            others.pop(name, None)
        #: What the form keeps: the search and the order.
        self.others = [(name, value) for name, values in others.lists() for value in values]

    def expected_parameters(self) -> list[Any]:
        """Return the names of the form's fields."""
        return list(FilterForm.base_fields)

    def has_output(self) -> bool:
        """Show the form always."""
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter the list."""
        return self.form.filtered(queryset)

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        """Return nothing: the template shows the form."""
        return iter(())
