"""A program record as CSV."""

import csv
from dataclasses import replace

import pytest

from credit_pathways.record_csv import record_csv
from credit_pathways.records import ProgramRecord, Progress
from tests import factories
from tests.support.record_source import EARNED, NOT_EARNED

pytestmark = pytest.mark.django_db

#: What a spreadsheet takes for the start of a formula.
FORMULA = tuple("=+-@|%＝＋－＠")


def text_of(courses=(EARNED, NOT_EARNED), **program):
    record = ProgramRecord(
        user=factories.UserFactory.build(first_name="Halima", last_name="Ó Briain"),
        program=factories.ProgramFactory.build(title="Statistics", **program),
        progress=Progress(False, courses, EARNED.issue_date),
        shared_record=None,
    )
    return record_csv(record).decode("utf-8-sig")


def cells(*args, delimiter=",", **kwargs):
    """Return the rows that a reader of CSV sees."""
    return list(csv.reader(text_of(*args, **kwargs).splitlines(keepends=True), delimiter=delimiter))


def test_rows():
    assert cells() == [
        ["Learner", "Halima Ó Briain"],
        ["Program", "Statistics"],
        ["Type", "MicroMasters"],
        ["School", "Northfield University"],
        ["Platform", "example.com"],
        ["Status", "Partially completed"],
        ["Last updated", "2026-06-15"],
        [],
        ["Course", "School", "Course ID", "Attempts", "Grade", "Letter grade", "Earned"],
        ["Probability", "Northfield", "course-v1:N+P+1", "2", "91%", "A", "2026-06-15"],
        ["Inference", "Northfield", "course-v1:N+I+1", "0", "", "", ""],
    ]


def test_days_are_the_servers_as_on_the_page(settings):
    settings.TIME_ZONE = "America/Chicago"
    assert cells()[6] == ["Last updated", "2026-06-14"]


@pytest.mark.parametrize("start", [*FORMULA, "\t=", "\r=", "\n=", " =", "\u00a0=", "\x00="], ids=ascii)
def test_no_cell_runs_as_a_formula(start):
    formula = f"{start}HYPERLINK(A1)"
    evil = replace(EARNED, name=formula, school=formula, course_id=formula, letter_grade=formula)
    found = cells([evil], school=formula, type=formula)
    assert sum("HYPERLINK" in cell for row in found for cell in row) == 6
    assert not any(cell.startswith(FORMULA) for row in found for cell in row)


@pytest.mark.parametrize("mark", ["\u200b", "\u200e", "\ufeff"], ids=ascii)
def test_a_mark_that_is_not_seen_hides_no_formula(mark):
    assert cells([replace(EARNED, name=f"{mark}=1")])[9][0] == f"{mark}'=1"


@pytest.mark.parametrize("delimiter", [";", "\t"], ids=repr)
@pytest.mark.parametrize("name", ["Probability;=1+1", "Probability; =1+1", "Probability;\u200b@A1", '"Probability";=1'])
def test_a_spreadsheet_that_splits_elsewhere_runs_none_either(delimiter, name):
    found = cells([replace(EARNED, name=name)], delimiter=delimiter)
    assert sum("Probability" in cell for row in found for cell in row) == 1
    assert not any(cell.strip(" \u200b").startswith(FORMULA) for row in found for cell in row)


def test_what_is_no_formula_stays():
    innocent = "Jean-Luc O'Hara, course-v1:N+P+1; 50% (A|B) me@home"
    assert cells([replace(EARNED, name=innocent)])[9][0] == innocent


def test_a_line_break_makes_no_row_and_a_quote_no_cell():
    evil = replace(EARNED, name='a"\nb,"c', school="x\r\ny")
    assert cells([evil])[9][:3] == ['a" b,"c', "x y", "course-v1:N+P+1"]
