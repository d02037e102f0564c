"""Program records as CSV."""

import csv
from dataclasses import replace

import pytest

from credit_pathways.record_csv import record_csv
from credit_pathways.records import ProgramRecord, Progress
from tests import factories
from tests.support.record_source import EARNED, NOT_EARNED

pytestmark = pytest.mark.django_db

#: Characters that start a formula in a spreadsheet.
FORMULA_STARTS = tuple("=+-@|%＝＋－＠")


def text_of(courses=(EARNED, NOT_EARNED), **program):
    record = ProgramRecord(
        user=factories.UserFactory.build(first_name="Halima", last_name="Ó Briain"),
        program=factories.ProgramFactory.build(title="Statistics", **program),
        progress=Progress(False, courses, EARNED.issue_date),
        shared_record=None,
    )
    return record_csv(record).decode("utf-8-sig")


def parsed_rows(*args, delimiter=",", **kwargs):
    return list(csv.reader(text_of(*args, **kwargs).splitlines(keepends=True), delimiter=delimiter))


def test_rows():
    assert parsed_rows() == [
        ["Learner", "Halima Ó Briain"],
        ["Program", "Statistics"],
        ["Type", "MicroMasters"],
        ["School", "Northfield University"],
        ["Platform", "example.com"],
        ["Status", "Partially completed"],
        ["Last updated", "2026-06-15"],
        [],
        ["Course", "School", "Course ID", "Attempts", "Grade", "Letter grade", "Earned"],
        ["Probability", "Northfield", "course-v1:N+P+1", "2", "91%", "Distinction", "2026-06-15"],
        ["Inference", "Northfield", "course-v1:N+I+1", "0", "", "", ""],
    ]


def test_dates_are_in_the_servers_time_zone(settings):
    settings.TIME_ZONE = "America/Chicago"
    assert parsed_rows()[6] == ["Last updated", "2026-06-14"]


@pytest.mark.parametrize("start", [*FORMULA_STARTS, "\t=", "\r=", "\n=", " =", "\u00a0=", "\x00="], ids=ascii)
def test_no_cell_runs_as_a_formula(start):
    formula = f"{start}HYPERLINK(A1)"
    evil = replace(EARNED, name=formula, school=formula, course_id=formula, letter_grade=formula)
    rows = parsed_rows([evil], school=formula, type=formula)
    assert sum("HYPERLINK" in cell for row in rows for cell in row) == 6
    assert not any(cell.startswith(FORMULA_STARTS) for row in rows for cell in row)


@pytest.mark.parametrize("mark", ["\u200b", "\u200e", "\ufeff"], ids=ascii)
def test_formula_after_an_invisible_mark_is_escaped(mark):
    assert parsed_rows([replace(EARNED, name=f"{mark}=1")])[9][0] == f"{mark}'=1"


@pytest.mark.parametrize("delimiter", [";", "\t"], ids=repr)
@pytest.mark.parametrize("name", ["Probability;=1+1", "Probability; =1+1", "Probability;\u200b@A1", '"Probability";=1'])
def test_no_cell_runs_as_a_formula_with_another_delimiter(delimiter, name):
    rows = parsed_rows([replace(EARNED, name=name)], delimiter=delimiter)
    assert sum("Probability" in cell for row in rows for cell in row) == 1
    assert not any(cell.strip(" \u200b").startswith(FORMULA_STARTS) for row in rows for cell in row)


def test_other_text_is_unchanged():
    text = "Jean-Luc O'Hara, course-v1:N+P+1; 50% (A|B) me@home"
    assert parsed_rows([replace(EARNED, name=text)])[9][0] == text


def test_line_breaks_and_quotes_stay_within_their_cell():
    evil = replace(EARNED, name='a"\nb,"c', school="x\r\ny")
    assert parsed_rows([evil])[9][:3] == ['a" b,"c', "x y", "course-v1:N+P+1"]
