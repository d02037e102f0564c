"""The seam to the host: the record source, and the program record that it gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from uuid import UUID

from django.contrib.sites.models import Site
from django.utils.module_loading import import_string

from . import conf
from .links import host_name
from .models import Learner, Program, ProgramCertRecord, UserCreditPathway


@dataclass(frozen=True)
class CourseResult:
    """A learner's best result in one course of a program."""

    name: str
    school: str
    #: Key of the course run, such as ``course-v1:DemoX+ST1+2026``.
    course_id: str
    #: Verified attempts.
    attempts: int
    #: A fraction, 0 to 1, or ``None``.
    percent_grade: float | Decimal | None
    letter_grade: str
    #: Aware; ``None`` if the course is not earned.
    issue_date: datetime | None

    @property
    def rounded_percent(self) -> int | None:
        """The grade in per cent, 0 to 100."""
        if self.percent_grade is None:
            return None
        # Half a per cent counts for the learner; Python's own rounding goes to the even neighbour.
        return int(Decimal(str(self.percent_grade)).scaleb(2).to_integral_value(ROUND_HALF_UP))


@dataclass(frozen=True)
class Progress:
    """How far a learner got in a program: its courses, and whether it is completed."""

    completed: bool
    courses: Sequence[CourseResult]
    #: Aware; ``None`` if not known.
    last_updated: datetime | None


@dataclass(frozen=True, kw_only=True)
class SiteConfiguration:
    """What the host has written down about a site. Settings go before it; what is empty has a default."""

    platform_name: str = ""
    from_address: str = ""
    #: Address of a page of help about learner records; without one there is no link.
    records_help_url: str = ""


class RecordSource(ABC):
    """What the host implements, and names in ``CREDIT_PATHWAYS_RECORD_SOURCE`` (ADR 0007)."""

    @abstractmethod
    def progress(self, user: Learner, program: Program) -> Progress | None:
        """Return the learner's progress; ``None``: no record here, so there is no page and nothing to request."""

    @abstractmethod
    def programs(self, user: Learner, site: Site) -> Iterable[Program]:
        """Return the programs of ``site`` that the learner's list shows."""

    def site_configuration(self, site: Site) -> SiteConfiguration:
        """Return what the host has written down about ``site``; nothing, if it does not say."""
        return SiteConfiguration()


class CatalogRecordSource(RecordSource):
    """The default, for a host that has no grades to show: every active program, with no courses."""

    def progress(self, user: Learner, program: Program) -> Progress | None:
        """Return a progress without courses for an active program, else ``None``."""
        if program.status != Program.Status.ACTIVE:
            return None
        return Progress(completed=False, courses=(), last_updated=program.modified)

    def programs(self, user: Learner, site: Site) -> Iterable[Program]:
        """Return the site's active programs, by title."""
        return Program.objects.filter(site=site, status=Program.Status.ACTIVE).order_by("title", "pk")


def record_source() -> RecordSource:
    """Return an instance of the host's record source."""
    return import_string(conf.record_source())()


@dataclass(frozen=True, kw_only=True)
class ProgramRecord:
    """What the Program Record page shows. ``shared_record`` is ``None`` while the record is not shared."""

    user: Learner
    program: Program
    progress: Progress
    shared_record: ProgramCertRecord | None

    @property
    def full_name(self) -> str:
        """The learner's full name; empty if none is known."""
        return self.user.get_full_name()

    @property
    def email(self) -> str:
        """The learner's address as the host has it; empty if none is known."""
        return getattr(self.user, self.user.get_email_field_name(), "") or ""

    @cached_property
    def site_configuration(self) -> SiteConfiguration:
        """The settings and what the host has written down about the program's site, together."""
        site = self.program.site
        host = record_source().site_configuration(site)
        return SiteConfiguration(
            platform_name=conf.platform_name() or host.platform_name or site.name,
            from_address=conf.from_address() or host.from_address or f"no-reply@{host_name(site.domain)}",
            records_help_url=host.records_help_url,
        )

    @property
    def platform_name(self) -> str:
        """The platform's name as people see it."""
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
    """Return what the learner's Program Record page shows; ``None``: this learner has no record in the program."""
    progress = record_source().progress(user, program)
    if progress is None:
        return None
    shared = ProgramCertRecord.objects.filter(user=user, program=program)
    return ProgramRecord(user=user, program=program, progress=progress, shared_record=next(iter(shared), None))


def program_records(*, user: Learner, site: Site) -> list[ProgramRecord]:
    """Return the learner's program records on ``site``, in the record source's order."""
    source = record_source()
    shared = {record.program_id: record for record in ProgramCertRecord.objects.filter(user=user, program__site=site)}
    return [
        ProgramRecord(user=user, program=program, progress=progress, shared_record=shared.get(program.pk))
        for program in source.programs(user, site)
        if (progress := source.progress(user, program)) is not None
    ]


def public_record(*, uuid: UUID, site: Site) -> ProgramRecord | None:
    """Return the program record that the public link ``uuid`` of ``site`` opens; ``None``: the link is dead."""
    shared_records = ProgramCertRecord.objects.select_related("user", "program")
    shared_record = next(iter(shared_records.filter(uuid=uuid, program__site=site.pk)), None)
    if shared_record is None:
        return None
    user, program = shared_record.user, shared_record.program
    program.site = site
    progress = record_source().progress(user, program)
    if progress is None:
        return None
    return ProgramRecord(user=user, program=program, progress=progress, shared_record=shared_record)


def record_now(credit_request: UserCreditPathway) -> ProgramRecord | None:
    """Return the record that ``credit_request`` is about as it is now; ``None`` if there is none any more."""
    program = credit_request.program
    return program_record(user=credit_request.user, program=program) if program else None
