"""The record source for the grades and certificates of Open edX Credentials."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from credentials.apps.catalog import models as catalog
from credentials.apps.core.models import SiteConfiguration as HostConfiguration
from credentials.apps.credentials.models import UserCredential
from credentials.apps.records.models import UserGrade
from django.contrib.sites.models import Site
from django.db.models import Prefetch
from django.utils import timezone

from ...database import primary
from ...models import Program
from ...records import CourseResult, Progress, RecordSource, SiteConfiguration
from ...users import Learner

#: The statuses of the programs in a learner's list. Credentials uses the same.
LISTED_STATUSES = (Program.Status.ACTIVE, Program.Status.RETIRED)


class CredentialsRecordSource(RecordSource):
    """
    Learners have a record in a program if they have a verified grade or a certificate in one of its course runs.

    The number of queries does not depend on the number of programs, courses, grades or certificates. Whether there is
    a record, and what is in it, is read from the primary database, because delivery depends on it (promise 8).
    """

    def __init__(self) -> None:
        self._progress: dict[tuple[int, int], Progress | None] = {}

    def progress(self, user: Learner, program: Program) -> Progress | None:
        """Return the learner's progress; ``None`` also if the site's configuration disables records."""
        if (user.pk, program.pk) not in self._progress:
            self._load_progress(user, program.site, [program])
        return self._progress[user.pk, program.pk]

    def programs(self, user: Learner, site: Site) -> Iterable[Program]:
        """Return the programs in which the learner has earned a course, by title."""
        uuids = _certified_program_uuids(user, site)
        rows = Program.objects.filter(site=site, uuid__in=uuids, status__in=LISTED_STATUSES)
        programs = list(rows.order_by("title", "pk"))
        self._load_progress(user, site, programs)
        return [program for program in programs if _has_earned_course(self._progress[user.pk, program.pk])]

    def _load_progress(self, user: Learner, site: Site, programs: Collection[Program]) -> None:
        configuration = _configuration(site)
        is_enabled = configuration is None or configuration.records_enabled
        progress = _progress_by_uuid(user, site, [program.uuid for program in programs]) if is_enabled else {}
        self._progress.update({(user.pk, program.pk): progress.get(program.uuid) for program in programs})

    def site_configuration(self, site: Site) -> SiteConfiguration:
        """Return the values of Credentials' own ``SiteConfiguration``."""
        configuration = _configuration(site)
        if configuration is None:
            return SiteConfiguration()
        return SiteConfiguration(
            platform_name=configuration.platform_name or "",
            from_address=configuration.partner_from_address or "",
            records_help_url=configuration.records_help_url,
        )


@dataclass(frozen=True)
class _Certificate:
    """A learner's certificate of a course run, which may be revoked or not available yet."""

    status: str
    created: datetime
    modified: datetime
    certificate_available_date: datetime | None
    date_override: datetime | None

    @property
    def available_date(self) -> datetime:
        return self.certificate_available_date or self.created

    @property
    def issue_date(self) -> datetime:
        return self.date_override or self.available_date

    @property
    def is_available(self) -> bool:
        """Whether the learner can see it now."""
        return self.certificate_available_date is None or self.certificate_available_date <= timezone.now()

    @property
    def is_awarded(self) -> bool:
        return self.is_available and self.status == UserCredential.AWARDED


@dataclass(frozen=True)
class _Achievements:
    """A learner's verified grades and certificates by course run, and programs with an awarded certificate."""

    grades: dict[int, UserGrade]
    certificates: dict[int, _Certificate]
    certified_programs: frozenset[UUID]

    def has_awarded_certificate(self, run: catalog.CourseRun) -> bool:
        return run.pk in self.certificates and self.certificates[run.pk].is_awarded

    def has_available_certificate(self, run: catalog.CourseRun) -> bool:
        """Whether the learner can see a certificate of ``run``, awarded or revoked."""
        return run.pk in self.certificates and self.certificates[run.pk].is_available

    def percent_grade(self, run: catalog.CourseRun) -> float:
        """Return the grade in ``run``; an unknown grade sorts below every other."""
        return self.grades[run.pk].percent_grade if run.pk in self.grades else -1


def _configuration(site: Site) -> HostConfiguration | None:
    # Not ``site.siteconfiguration``, which is read from a replica, and kept as long as the process keeps the site.
    return primary(HostConfiguration.objects.filter(site=site)).first()


def _certified_program_uuids(user: Learner, site: Site) -> list[UUID]:
    """Return the programs of ``site`` with a course run for which the learner was awarded a certificate."""
    programs = catalog.Program.objects.filter(
        site=site,
        course_runs__coursecertificate__user_credentials__username=user.username,
        course_runs__coursecertificate__user_credentials__status=UserCredential.AWARDED,
    )
    return list(programs.distinct().values_list("uuid", flat=True))


def _progress_by_uuid(user: Learner, site: Site, uuids: Collection[UUID]) -> dict[UUID, Progress]:
    """Return the learner's progress in those of the programs in which they have a record."""
    owners = Prefetch("course__owners", primary(catalog.Organization.objects.all()))
    runs = primary(catalog.CourseRun.objects.select_related("course")).prefetch_related(owners)
    programs = primary(catalog.Program.objects.filter(site=site, uuid__in=uuids))
    programs = list(programs.prefetch_related(Prefetch("course_runs", runs)))
    achievements = _achievements(user, site, programs)
    progress_by_uuid = {program.uuid: _progress(program, achievements) for program in programs}
    return {uuid: progress for uuid, progress in progress_by_uuid.items() if progress}


def _achievements(user: Learner, site: Site, programs: Iterable[catalog.Program]) -> _Achievements:
    """Read the learner's achievements in these programs. A certificate of a course run counts on every site."""
    runs = {run.pk for program in programs for run in program.course_runs.all()}
    grades = primary(UserGrade.objects.filter(username=user.username, verified=True, course_run__in=runs))
    credentials = primary(UserCredential.objects.filter(username=user.username))
    fields = ("status", "created", "modified", "course_credentials__certificate_available_date", "date_override__date")
    certificates = credentials.filter(course_credentials__course_run__in=runs)
    program_certificates = credentials.filter(
        status=UserCredential.AWARDED,
        program_credentials__site=site,
        program_credentials__program_uuid__in=[program.uuid for program in programs],
    )
    return _Achievements(
        grades={grade.course_run_id: grade for grade in grades},
        certificates={
            run_id: _Certificate(*values)
            for run_id, *values in certificates.values_list("course_credentials__course_run", *fields)
        },
        certified_programs=frozenset(program_certificates.values_list("program_credentials__program_uuid", flat=True)),
    )


def _progress(program: catalog.Program, achievements: _Achievements) -> Progress | None:
    runs = list(program.course_runs.all())
    grades = [achievements.grades[run.pk] for run in runs if run.pk in achievements.grades]
    certificates = [achievements.certificates[run.pk] for run in runs if achievements.has_available_certificate(run)]
    if not grades and not certificates:
        return None
    runs_by_course: dict[catalog.Course, list[catalog.CourseRun]] = {}
    for run in runs:
        runs_by_course.setdefault(run.course, []).append(run)
    modified = [row.modified for row in [*grades, *certificates]]
    return Progress(
        completed=_is_completed(program, runs, achievements),
        courses=[_course_result(course, runs, achievements) for course, runs in runs_by_course.items()],
        last_updated=max(modified + [certificate.available_date for certificate in certificates]),
    )


def _is_completed(program: catalog.Program, runs: Iterable[catalog.CourseRun], achievements: _Achievements) -> bool:
    """Return whether a program certificate is awarded and all certificates of course runs are available."""
    dates = [achievements.certificates[run.pk].available_date for run in runs if run.pk in achievements.certificates]
    return program.uuid in achievements.certified_programs and bool(dates) and max(dates) <= timezone.now()


def _course_result(
    course: catalog.Course, runs: Collection[catalog.CourseRun], achievements: _Achievements
) -> CourseResult:
    """Return the best of the course's earned runs. A grade without an awarded certificate does not count."""
    earned = [run for run in runs if achievements.has_awarded_certificate(run)]
    best = max(earned, key=achievements.percent_grade, default=None)
    grade = achievements.grades.get(best.pk) if best else None
    certificate = achievements.certificates[best.pk] if best else None
    return CourseResult(
        name=course.title or course.key,
        school=", ".join(owner.name for owner in course.owners.all()),
        course_id=best.key if best else "",
        attempts=sum(run.pk in achievements.grades and achievements.has_available_certificate(run) for run in runs),
        percent_grade=grade.percent_grade if grade else None,
        letter_grade=grade.letter_grade if grade else "",
        issue_date=certificate.issue_date if certificate else None,
    )


def _has_earned_course(progress: Progress | None) -> bool:
    return progress is not None and any(course.issue_date for course in progress.courses)
