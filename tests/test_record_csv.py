"""A program record as CSV."""

import csv
from dataclasses import replace

import pytest

from credit_pathways.record_csv import record_csv
from credit_pathways.records import ProgramRecord, Progress

from . import factories
from .record_source import EARNED, NOT_EARNED

pytestmark = pytest.mark.django_db


def cells(courses=(EARNED, NOT_EARNED), **program):
    """Return the rows that a reader of CSV sees."""
    progress = Progress(False, courses, EARNED.issue_date)
    user = factories.UserFactory.build(first_name="Halima", last_name="Ó Briain")
    record = ProgramRecord(
        user=user,
        program=factories.ProgramFactory.build(title="Statistics", **program),
        progress=progress,
        shared_record=None,
    )
    text = record_csv(record).decode("utf-8-sig")
    return list(csv.reader(text.splitlines(keepends=True)))


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


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t=", "\r=", "\n=", " =", "\u00a0=", "\x00=", "|", "%"], ids=repr
)
def test_no_cell_runs_as_a_formula(start):
    formula = f"{start}HYPERLINK(A1)"
    evil = replace(EARNED, name=formula, school=formula, course_id=formula, letter_grade=formula)
    found = cells([evil], school=formula, type=formula)
    assert sum("HYPERLINK" in cell for row in found for cell in row) == 6
    assert not any(cell[:1] in tuple("=+-@\t\r\n|%") for row in found for cell in row if cell)


def test_a_line_break_makes_no_row_and_a_quote_no_cell():
    evil = replace(EARNED, name='a"\n=1,"b', school="x\r\ny")
    assert cells([evil])[9][:3] == ['a" =1,"b', "x y", "course-v1:N+P+1"]
