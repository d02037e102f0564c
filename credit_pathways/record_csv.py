"""A program record as CSV."""

import csv
from collections.abc import Iterator
from datetime import datetime
from io import StringIO

from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from .records import CourseResult, ProgramRecord
from .sanitize import table_cell


def record_csv(record: ProgramRecord) -> bytes:
    """
    Return the record as CSV, in UTF-8 with the byte order mark that spreadsheets need to recognize it.

    Each cell is one line that no spreadsheet runs as a formula.
    """
    text = StringIO()
    csv.writer(text).writerows([table_cell("" if value is None else value) for value in row] for row in _rows(record))
    return text.getvalue().encode("utf-8-sig")


def _rows(record: ProgramRecord) -> Iterator[tuple[str, ...]]:
    """Yield the program's details, an empty row, and a table of its courses."""
    program, progress = record.program, record.progress
    yield _("Learner"), record.learner_name or _("name not given")
    yield _("Program"), program.title
    yield _("Type"), program.type
    yield _("School"), program.school
    yield _("Platform"), record.platform_name
    yield _("Status"), _("Completed") if progress.completed else _("Partially completed")
    yield _("Last updated"), _date(progress.last_updated)
    yield ()
    grade = (_("Attempts"), _("Grade"), _("Letter grade"))
    yield (_("Course"), _("School"), _("Course ID"), *grade, _("Earned"))
    for course in progress.courses:
        yield _course_row(course)


def _course_row(course: CourseResult) -> tuple[str, ...]:
    percent = "" if course.rounded_percent is None else f"{course.rounded_percent}%"
    grade = (str("" if course.attempts is None else course.attempts), percent, course.letter_grade)
    return (course.name, course.school, course.course_id, *grade, _date(course.issue_date))


def _date(value: datetime | None) -> str:
    """Return the date in ISO 8601 format, in the server's time zone like the dates on the page."""
    return localdate(value).isoformat() if value else ""
