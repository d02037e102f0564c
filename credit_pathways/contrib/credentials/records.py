"""The record source over the grades and certificates of Open edX Credentials."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from credentials.apps.catalog import models as catalog
from credentials.apps.credentials.models import UserCredential
from credentials.apps.records.models import UserGrade
from django.contrib.sites.models import Site
from django.db.models import Prefetch
from django.utils import timezone

from ...models import Learner, Program
from ...records import CourseResult, Progress, RecordSource, SiteConfiguration

#: Statuses of the programs in a learner's list, as in Credentials' own.
LISTED = (Program.Status.ACTIVE, Program.Status.RETIRED)


class CredentialsRecordSource(RecordSource):
    """
    A learner has a record in a program with a verified grade or a certificate in one of its course runs.

    The number of queries does not depend on how many programs, courses, grades or certificates there are.
    """

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._read: dict[tuple[int, int], Progress | None] = {}

    def progress(self, user: Learner, program: Program) -> Progress | None:
        """Return the learner's progress; ``None`` also where the site's configuration has records disabled."""
        if (user.pk, program.pk) not in self._read:
            self._read_progress(user, program.site, [program])
        return self._read[user.pk, program.pk]

    def programs(self, user: Learner, site: Site) -> Iterable[Program]:
        """Return the programs in which the learner has earned a course, by title; their progress is read with them."""
        rows = Program.objects.filter(site=site, uuid__in=_begun(user, site), status__in=LISTED)
        programs = list(rows.order_by("title", "pk"))
        self._read_progress(user, site, programs)
        progresses = [(program, self._read[user.pk, program.pk]) for program in programs]
        return [program for program, progress in progresses if progress and _is_earned(progress)]

    def _read_progress(self, user: Learner, site: Site, programs: Collection[Program]) -> None:
        configuration = getattr(site, "siteconfiguration", None)
        is_enabled = configuration is None or configuration.records_enabled
        found = _progresses(user, site, [program.uuid for program in programs]) if is_enabled else {}
        self._read.update({(user.pk, program.pk): found.get(program.uuid) for program in programs})

    def site_configuration(self, site: Site) -> SiteConfiguration:
        """Return what Credentials' ``SiteConfiguration`` says of ``site``."""
        configuration = getattr(site, "siteconfiguration", None)
        if configuration is None:
            return SiteConfiguration()
        return SiteConfiguration(
            platform_name=configuration.platform_name or "",
            from_address=configuration.partner_from_address or "",
            records_help_url=configuration.records_help_url,
        )


@dataclass(frozen=True)
class _Certificate:
    """A learner's certificate of a course run, awarded or revoked, perhaps not to be seen yet."""

    status: str
    created: datetime
    modified: datetime
    available: datetime | None
    override: datetime | None

    @property
    def visible(self) -> datetime:
        """When it can be seen."""
        return self.available or self.created

    @property
    def issued(self) -> datetime:
        """What is shown as its date: the one that staff have given, if they have."""
        return self.override or self.visible

    @property
    def is_visible(self) -> bool:
        """Whether it can be seen now."""
        return self.available is None or self.available <= timezone.now()

    @property
    def is_awarded(self) -> bool:
        """Whether it counts: it can be seen, and is not revoked."""
        return self.is_visible and self.status == UserCredential.AWARDED


@dataclass(frozen=True)
class _History:
    """A learner's verified grades and certificates, by course run, and the programs with an awarded certificate."""

    grades: dict[int, UserGrade]
    certificates: dict[int, _Certificate]
    programs: frozenset[UUID]

    def is_earned(self, run: catalog.CourseRun) -> bool:
        """Return whether the certificate of ``run`` counts."""
        return run.pk in self.certificates and self.certificates[run.pk].is_awarded

    def is_seen(self, run: catalog.CourseRun) -> bool:
        """Return whether the learner can see a certificate of ``run``, be it awarded or revoked."""
        return run.pk in self.certificates and self.certificates[run.pk].is_visible

    def percent(self, run: catalog.CourseRun) -> float:
        """Return the grade in ``run`` for comparison; one that is not known is less than any."""
        return self.grades[run.pk].percent_grade if run.pk in self.grades else -1


def _begun(user: Learner, site: Site) -> list[UUID]:
    """Return the programs of ``site`` with a course run for which the learner was awarded a certificate."""
    programs = catalog.Program.objects.filter(
        site=site,
        course_runs__coursecertificate__user_credentials__username=user.username,
        course_runs__coursecertificate__user_credentials__status=UserCredential.AWARDED,
    )
    return list(programs.distinct().values_list("uuid", flat=True))


def _progresses(user: Learner, site: Site, uuids: Collection[UUID]) -> dict[UUID, Progress]:
    """Return the learner's progress in each of these programs that there is a record in."""
    runs = catalog.CourseRun.objects.select_related("course").prefetch_related("course__owners")
    programs = catalog.Program.objects.filter(site=site, uuid__in=uuids)
    programs = list(programs.prefetch_related(Prefetch("course_runs", runs)))
    history = _history(user, site, programs)
    progresses = {program.uuid: _progress(program, history) for program in programs}
    return {uuid: progress for uuid, progress in progresses.items() if progress}


def _history(user: Learner, site: Site, programs: Iterable[catalog.Program]) -> _History:
    """Read what the learner has in these programs; a certificate of a course run counts on any site."""
    runs = {run.pk for program in programs for run in program.course_runs.all()}
    grades = UserGrade.objects.filter(username=user.username, verified=True, course_run__in=runs)
    credentials = UserCredential.objects.filter(username=user.username)
    columns = ("status", "created", "modified", "course_credentials__certificate_available_date", "date_override__date")
    certificates = credentials.filter(course_credentials__course_run__in=runs)
    completed = credentials.filter(
        status=UserCredential.AWARDED,
        program_credentials__site=site,
        program_credentials__program_uuid__in=[program.uuid for program in programs],
    )
    return _History(
        grades={grade.course_run_id: grade for grade in grades},
        certificates={
            run: _Certificate(*values)
            for run, *values in certificates.values_list("course_credentials__course_run", *columns)
        },
        programs=frozenset(completed.values_list("program_credentials__program_uuid", flat=True)),
    )


def _progress(program: catalog.Program, history: _History) -> Progress | None:
    runs = list(program.course_runs.all())
    grades = [history.grades[run.pk] for run in runs if run.pk in history.grades]
    seen = [history.certificates[run.pk] for run in runs if history.is_seen(run)]
    if not grades and not seen:
        return None
    courses: dict[catalog.Course, list[catalog.CourseRun]] = {}
    for run in runs:
        courses.setdefault(run.course, []).append(run)
    changes = [row.modified for row in [*grades, *seen]] + [certificate.visible for certificate in seen]
    return Progress(
        completed=_is_completed(program, runs, history),
        courses=[_result(course, attempts, history) for course, attempts in courses.items()],
        last_updated=max(changes),
    )


def _is_completed(program: catalog.Program, runs: Iterable[catalog.CourseRun], history: _History) -> bool:
    """Return whether a program certificate is awarded, and the last of the courses' certificates can be seen."""
    dates = [history.certificates[run.pk].visible for run in runs if run.pk in history.certificates]
    return program.uuid in history.programs and bool(dates) and max(dates) <= timezone.now()


def _result(course: catalog.Course, runs: Collection[catalog.CourseRun], history: _History) -> CourseResult:
    """Return the best of the course's earned runs; a grade without an awarded certificate does not count."""
    earned = [run for run in runs if history.is_earned(run)]
    best = max(earned, key=history.percent, default=None)
    grade = history.grades.get(best.pk) if best else None
    certificate = history.certificates[best.pk] if best else None
    return CourseResult(
        name=course.title or course.key,
        school=", ".join(owner.name for owner in course.owners.all()),
        course_id=best.key if best else "",
        attempts=sum(run.pk in history.grades and history.is_seen(run) for run in runs),
        percent_grade=grade.percent_grade if grade else None,
        letter_grade=grade.letter_grade if grade else "",
        issue_date=certificate.issued if certificate else None,
    )


def _is_earned(progress: Progress) -> bool:
    return any(course.issue_date for course in progress.courses)
