"""The demo's record source, an example of how a host supplies its own grades."""

from collections.abc import Iterable

from django.contrib.sites.models import Site

from credit_pathways.models import Program
from credit_pathways.records import CourseResult, Progress, RecordSource
from credit_pathways.users import Learner

from .models import Course, Grade


class GradeRecordSource(RecordSource):
    """A learner with a grade in one of a program's courses has a record in that program."""

    def progress(self, user: Learner, program: Program) -> Progress | None:
        """Return the program's courses with the learner's grades, in two queries."""
        grades = {grade.course_id: grade for grade in Grade.objects.filter(user=user, course__program=program)}
        if not grades:
            return None
        courses = [_result(course, grades.get(course.pk)) for course in program.courses.order_by("pk")]
        return Progress(
            completed=all(course.issue_date for course in courses),
            courses=courses,
            last_updated=max(grade.modified for grade in grades.values()),
        )

    def programs(self, user: Learner, site: Site) -> Iterable[Program]:
        """Return the programs in which the learner has a grade, ordered by title."""
        return Program.objects.filter(site=site, courses__grades__user=user).distinct().order_by("title")

    def learner_language(self, user: Learner) -> str | None:
        """Return the language that the learner chose on the home page."""
        return user.language or None


def _result(course: Course, grade: Grade | None) -> CourseResult:
    return CourseResult(
        name=course.name,
        school=course.school,
        course_id=course.key,
        attempts=grade.attempts if grade else 0,
        percent_grade=grade.percent if grade else None,
        letter_grade=grade.letter if grade else "",
        issue_date=grade.issued if grade else None,
    )
