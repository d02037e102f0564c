"""The report: the requests of a range of days, counted, as tables with charts and as CSV. Imported when asked for."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_safe

from ..models import UserCreditPathway
from ..reports import GROUPINGS, Line, count_requests
from ..sanitize import no_formula, one_line
from .filters import DAY_FIELD, day_range

TITLES = {
    "program": gettext_lazy("By program"),
    "pathway": gettext_lazy("By pathway"),
    "institution": gettext_lazy("By institution"),
    "status": gettext_lazy("By status"),
    "month": gettext_lazy("By month"),
}
#: What names a line: on the page, and in the CSV, where other software wants keys.
HEADINGS = {
    "program": [gettext_lazy("Program")],
    "pathway": [gettext_lazy("Pathway"), gettext_lazy("Institution")],
    "institution": [gettext_lazy("Institution")],
    "status": [gettext_lazy("Status")],
    "month": [gettext_lazy("Month")],
}
CSV_HEADINGS = {
    "program": ["program", "program_uuid"],
    "pathway": ["pathway", "institution", "pathway_uuid"],
    "institution": ["institution"],
    "status": ["status"],
    "month": ["month"],
}
#: Lines that a chart of bars has room for.
CHARTED = 15
NUMBERS = ["requests", "first", "repeats", "learners"]


class RangeForm(forms.Form):
    """The days that are counted, both included, in UTC."""

    since = forms.DateField(label=pgettext_lazy("first day", "From"), **DAY_FIELD)
    until = forms.DateField(label=pgettext_lazy("last day", "To"), **DAY_FIELD)


@dataclass(frozen=True)
class Table:
    """One table of the page."""

    by: str
    title: Promise
    headings: Sequence[Promise]
    lines: Sequence[tuple[Sequence[str], Line]]

    @property
    def charted(self) -> int:
        """Return for how many lines the chart has room."""
        return len(self.lines) if self.by == "month" else min(len(self.lines), CHARTED)

    @property
    def chart_ends(self) -> bool:
        """Return whether the table has more."""
        return self.charted < len(self.lines)

    @property
    def total(self) -> dict[str, int]:
        """Return the sums; learners cannot be summed up, for one may be in several lines."""
        return {name: sum(getattr(line, name) for _names, line in self.lines) for name in NUMBERS[:3]}


def _range(model_admin: Any, request: HttpRequest) -> RangeForm:
    """Return the form: what was asked for, or else the last twelve months."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    today = datetime.now(UTC).date()
    default = {"since": date(today.year - 1, today.month, 1).isoformat()}
    return RangeForm(request.GET or default)


@require_safe
def page(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """Show all tables."""
    form = _range(model_admin, request)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Credit requests: report"),
        "form": form,
        "tables": [_table(by, form) for by in GROUPINGS] if form.is_valid() else [],
        "query": urlencode({name: day or "" for name, day in form.cleaned_data.items()}),
    }
    return TemplateResponse(request, "credit_pathways/admin/report.html", context)


def _table(by: str, form: RangeForm) -> Table:
    lines = count_requests(by, **day_range(form.cleaned_data, UTC))
    return Table(by, TITLES[by], HEADINGS[by], [(_names(by, line), line) for line in lines])


def _names(by: str, line: Line) -> list[str]:
    """Return what the page calls the line."""
    if line.key is None:
        return [_("not recorded")]
    if by == "month":
        return [date_format(line.key, "YEAR_MONTH_FORMAT")]
    if by == "status":
        return [str(UserCreditPathway.Status(line.key).label)]
    return [str(name) for name in line.names[:-1]] or [str(line.key)]


@require_safe
def table(request: HttpRequest, model_admin: Any, by: str) -> HttpResponse:
    """Return one table as CSV."""
    form = _range(model_admin, request)
    if by not in GROUPINGS or not form.is_valid():
        raise Http404("There is no such table.")
    # With the mark without which spreadsheets guess another encoding.
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="credit_requests_by_{by}.csv"'
    writer = csv.writer(response)
    writer.writerow([*CSV_HEADINGS[by], *NUMBERS])
    for line in count_requests(by, **day_range(form.cleaned_data, UTC)):
        names = line.names or (line.key.strftime("%Y-%m") if by == "month" else line.key,)
        cells = ["" if name is None else no_formula(one_line(name)) for name in names]
        writer.writerow([*cells, *(getattr(line, number) for number in NUMBERS)])
    return response
