"""
What the app needs from its host, and the program records it makes of that.

A host implements ``RecordSource``. The app combines its answers with the shared program record, the site and the
settings into a ``ProgramRecord``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from uuid import UUID

from django.contrib.sites.models import Site
from django.utils.module_loading import import_string

from . import conf, database
from .links import host_name
from .models import Learner, Program, ProgramCertRecord, UserCreditPathway


@dataclass(frozen=True)
class CourseResult:
    """A learner's best result in one course of a program."""

    name: str
    school: str
    #: Key of the course run, such as ``course-v1:DemoX+ST1+2026``.
    course_id: str
    #: How many verified attempts there were.
    attempts: int = field(repr=False)
    #: A fraction from 0 to 1, or ``None``.
    percent_grade: float | Decimal | None = field(repr=False)
    letter_grade: str = field(repr=False)
    #: Aware, or ``None`` if the course is not earned.
    issue_date: datetime | None = field(repr=False)

    @property
    def rounded_percent(self) -> int | None:
        """The grade as a whole number from 0 to 100."""
        if self.percent_grade is None:
            return None
        # Half a percent counts in the learner's favor. Python's round() goes to the even number.
        return int(Decimal(str(self.percent_grade)).scaleb(2).to_integral_value(ROUND_HALF_UP))


@dataclass(frozen=True)
class Progress:
    """How far a learner has come in a program."""

    completed: bool
    courses: Sequence[CourseResult]
    #: Aware, or ``None`` if unknown.
    last_updated: datetime | None


@dataclass(frozen=True, kw_only=True)
class SiteConfiguration:
    """What the host knows about a site. Settings override it; whatever is empty gets a default."""

    platform_name: str = ""
    from_address: str = ""
    #: Address of a help page about learner records. Pages link to it if it is set.
    records_help_url: str = ""


class RecordSource(ABC):
    """The host's courses, grades and completion. ``CREDIT_PATHWAYS_RECORD_SOURCE`` names the subclass (ADR 0007)."""

    @abstractmethod
    def progress(self, user: Learner, program: Program) -> Progress | None:
        """
        Return the learner's progress in the program.

        ``None`` means that the learner has no record in it: there is no page and nothing to request.
        """

    @abstractmethod
    def programs(self, user: Learner, site: Site) -> Iterable[Program]:
        """Return the programs on ``site`` to list for the learner, in that order."""

    def site_configuration(self, site: Site) -> SiteConfiguration:
        """Return what the host knows about ``site``: nothing, unless overridden."""
        return SiteConfiguration()

    def learner_language(self, user: Learner) -> str | None:
        """Return the language code of emails to the learner; ``None``, for ``LANGUAGE_CODE``, unless overridden."""
        return None


class CatalogRecordSource(RecordSource):
    """The default, for a host without grades: every learner has a record, without courses, in each active program."""

    def progress(self, user: Learner, program: Program) -> Progress | None:
        if program.status != Program.Status.ACTIVE:
            return None
        return Progress(completed=False, courses=(), last_updated=program.modified)

    def programs(self, user: Learner, site: Site) -> Iterable[Program]:
        return Program.objects.filter(site=site, status=Program.Status.ACTIVE).order_by("title", "pk")


def record_source() -> RecordSource:
    """Return a new instance of the host's record source."""
    return import_string(conf.record_source())()


def site_configuration(site: Site) -> SiteConfiguration:
    """Return the settings, then what the host knows about ``site``, then defaults."""
    host = record_source().site_configuration(site)
    return SiteConfiguration(
        platform_name=conf.platform_name() or host.platform_name or site.name,
        from_address=conf.from_address() or host.from_address or f"no-reply@{host_name(site.domain)}",
        records_help_url=host.records_help_url,
    )


def email_address(user: Learner) -> str:
    """Return the learner's address, unchecked; empty if unknown."""
    return getattr(user, user.get_email_field_name(), "") or ""


@dataclass(frozen=True, kw_only=True)
class ProgramRecord:
    """A learner's record in a program, as the Program Record page shows it."""

    user: Learner = field(repr=False)  # whose repr is the username
    program: Program
    progress: Progress
    #: ``None`` while the record is not shared.
    shared_record: ProgramCertRecord | None

    @property
    def full_name(self) -> str:
        """Empty if unknown."""
        return self.user.get_full_name() or ""

    @property
    def email(self) -> str:
        """See ``email_address``."""
        return email_address(self.user)

    @cached_property
    def site_configuration(self) -> SiteConfiguration:
        return site_configuration(self.program.site)

    @property
    def platform_name(self) -> str:
        return self.site_configuration.platform_name

    @property
    def earned(self) -> int:
        """How many courses are earned."""
        return sum(course.issue_date is not None for course in self.progress.courses)

    @property
    def empty(self) -> bool:
        """Whether no course is earned yet."""
        return not self.earned


def program_record(*, user: Learner, program: Program) -> ProgramRecord | None:
    """Return the learner's record in the program, or ``None`` if there is none."""
    progress = record_source().progress(user, program)
    if progress is None:
        return None
    shared = database.primary(ProgramCertRecord.objects.filter(user=user, program=program))
    return ProgramRecord(user=user, program=program, progress=progress, shared_record=next(iter(shared), None))


def program_records(*, user: Learner, site: Site) -> list[ProgramRecord]:
    """Return the learner's program records on ``site``, in the record source's order."""
    source = record_source()
    shared_records = database.primary(ProgramCertRecord.objects.filter(user=user, program__site=site))
    shared = {record.program_id: record for record in shared_records}
    return [
        ProgramRecord(user=user, program=program, progress=progress, shared_record=shared.get(program.pk))
        for program in source.programs(user, site)
        if (progress := source.progress(user, program)) is not None
    ]


def public_record(*, uuid: UUID, site: Site) -> ProgramRecord | None:
    """Return the program record that the public link ``uuid`` opens on ``site``, or ``None`` if the link is dead."""
    shared_records = database.primary(ProgramCertRecord.objects.open()).select_related("user", "program__site")
    shared_record = next(iter(shared_records.filter(uuid=uuid, program__site=site.pk)), None)
    if shared_record is None:
        return None
    user, program = shared_record.user, shared_record.program
    progress = record_source().progress(user, program)
    if progress is None:
        return None
    return ProgramRecord(user=user, program=program, progress=progress, shared_record=shared_record)


def current_record(credit_request: UserCreditPathway) -> ProgramRecord | None:
    """Return the record that a credit request is about, as it is now, or ``None`` if there is none."""
    program = credit_request.program
    return program_record(user=credit_request.user, program=program) if program else None
