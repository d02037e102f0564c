"""The report: credit requests of a range of days, counted in tables with charts, and as CSV. Imported when used."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from ..models import UserCreditPathway
from ..reports import GROUPINGS, Line, count_bounces, count_requests
from ..sanitize import table_cell
from .filters import DayRangeForm


class Columns(NamedTuple):
    """The texts of a table. In the CSV, lines also have uuids for use by other software."""

    title: Promise
    headings: Sequence[Promise]
    csv_headings: Sequence[str]


COLUMNS = {
    "program": Columns(_("By program"), [_("Program")], ["program", "program_uuid"]),
    "pathway": Columns(_("By pathway"), [_("Pathway"), _("Institution")], ["pathway", "institution", "pathway_uuid"]),
    "institution": Columns(_("By institution"), [_("Institution")], ["institution"]),
    "status": Columns(_("By status"), [_("Status")], ["status"]),
    "month": Columns(_("By month"), [_("Month")], ["month"]),
}
#: The attributes of ``Line`` that can be summed up. A learner may be in several lines, so ``learners`` cannot.
SUMMABLE = ["requests", "first", "repeats", "bounced"]
NUMBERS = ["requests", "first", "repeats", "learners", "bounced"]
#: The maximum number of bars in a chart. The chart of months shows them all.
MAX_BARS = 15


@dataclass(frozen=True)
class Table:
    """One table of the page."""

    by: str
    lines: Sequence[tuple[Sequence[str], Line]]

    @property
    def columns(self) -> Columns:
        return COLUMNS[self.by]

    @property
    def bar_count(self) -> int:
        return len(self.lines) if self.by == "month" else min(len(self.lines), MAX_BARS)

    @property
    def has_more_lines_than_bars(self) -> bool:
        return self.bar_count < len(self.lines)

    @property
    def total(self) -> dict[str, int]:
        return {name: sum(getattr(line, name) for _names, line in self.lines) for name in SUMMABLE}


def _permitted_form(request: HttpRequest, model_admin: Any) -> DayRangeForm:
    """Return the form with the range that was asked for, by default the last twelve months."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    today = datetime.now(UTC).date()
    default = {"since": date(today.year - 1, today.month, 1).isoformat()}
    return DayRangeForm(request.GET or default)


@require_safe
def report_view(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """Show all tables."""
    form = _permitted_form(request, model_admin)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Credit requests: report"),
        "form": form,
        "tables": _tables(form) if form.is_valid() else [],
        "query": urlencode({name: day or "" for name, day in form.cleaned_data.items()}),
    }
    return TemplateResponse(request, "credit_pathways/admin/report.html", context)


def _tables(form: DayRangeForm) -> list[Table]:
    bounces = count_bounces(**form.as_datetimes(UTC))
    return [Table(by, [(_names(by, line), line) for line in _lines(by, form, bounces[by])]) for by in GROUPINGS]


def _lines(by: str, form: DayRangeForm, bounces: Mapping[Any, int]) -> list[Line]:
    lines = count_requests(by, **form.as_datetimes(UTC))
    return [replace(line, bounced=bounces.get(line.key, 0)) for line in lines]


def _names(by: str, line: Line) -> list[str]:
    """Return the cells that identify the line on the page."""
    if line.key is None:
        return [str(_("not recorded"))]
    if by == "month":
        return [date_format(line.key, "YEAR_MONTH_FORMAT")]
    if by == "status":
        return [str(UserCreditPathway.Status(line.key).label)]
    return [str(name) for name in line.names[:-1]] or [str(line.key)]


@require_safe
def report_csv_view(request: HttpRequest, model_admin: Any, by: str) -> HttpResponse:
    """Return one table as CSV."""
    form = _permitted_form(request, model_admin)
    if by not in GROUPINGS or not form.is_valid():
        raise Http404("There is no such table.")
    # Without the byte order mark, spreadsheets guess another encoding.
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="credit_requests_by_{by}.csv"'
    writer = csv.writer(response)
    writer.writerow([*COLUMNS[by].csv_headings, *NUMBERS])
    bounces = count_bounces(**form.as_datetimes(UTC))
    for line in _lines(by, form, bounces[by]):
        names = line.names or (line.key.strftime("%Y-%m") if by == "month" else line.key,)
        cells = ["" if name is None else table_cell(name) for name in names]
        writer.writerow([*cells, *(getattr(line, number) for number in NUMBERS)])
    return response
