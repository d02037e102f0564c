"""A program record as CSV."""

import csv
from collections.abc import Iterator
from datetime import datetime
from io import StringIO

from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from .records import CourseResult, ProgramRecord
from .sanitize import no_formula, one_line


def _day(moment: datetime | None) -> str:
    """Return the day in the server's time zone, as the page shows it, in the form of ISO 8601."""
    return localdate(moment).isoformat() if moment else ""


def _course(course: CourseResult) -> tuple[str, ...]:
    percent = "" if course.rounded_percent is None else f"{course.rounded_percent}%"
    grade = (str(course.attempts), percent, course.letter_grade)
    return (course.name, course.school, course.course_id, *grade, _day(course.issue_date))


def _rows(record: ProgramRecord) -> Iterator[tuple[str, ...]]:
    """Yield the record's head, an empty line, and a line for each course."""
    program, progress = record.program, record.progress
    yield _("Learner"), record.full_name
    yield _("Program"), program.title
    yield _("Type"), program.type
    yield _("School"), program.school
    yield _("Platform"), record.platform_name
    yield _("Status"), _("Completed") if progress.completed else _("Partially completed")
    yield _("Last updated"), _day(progress.last_updated)
    yield ()
    grade = (_("Attempts"), _("Grade"), _("Letter grade"))
    yield (_("Course"), _("School"), _("Course ID"), *grade, _("Earned"))
    for course in progress.courses:
        yield _course(course)


def record_csv(record: ProgramRecord) -> bytes:
    """
    Return the record as CSV, UTF-8 with the mark that tells spreadsheets so.

    Each cell is one line, and nothing that somebody typed runs as a formula.
    """
    text = StringIO()
    csv.writer(text).writerows([no_formula(one_line(cell)) for cell in row] for row in _rows(record))
    return text.getvalue().encode("utf-8-sig")
