"""
What the app needs from its host, and the program records it makes of that.

A host implements ``RecordSource``. The app combines its answers with the shared program record, the site and the
settings into a ``ProgramRecord``.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

from django.contrib.sites.models import Site
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from . import conf, database
from .links import host_name
from .models import MAX_ID, Program, ProgramCertRecord, UserCreditPathway, is_storable_datetime
from .sanitize import is_invisible
from .users import Learner, display_name, email_address

log = logging.getLogger(__name__)

#: More than 1 by what adding up weights may leave.
MAX_FRACTION = 1 + 1e-9


@dataclass(frozen=True)
class CourseResult:
    """A learner's best result in one course of a program. Invalid values are replaced by "unknown", and logged once."""

    name: str
    school: str = ""
    #: Key of the course run, such as ``course-v1:DemoX+ST1+2026``.
    course_id: str = ""
    #: How many verified attempts there were; ``None`` if unknown.
    attempts: int | None = field(default=None, repr=False)
    #: A fraction from 0 to 1, or ``None``.
    percent_grade: float | Decimal | None = field(default=None, repr=False)
    letter_grade: str = field(default="", repr=False)
    #: Aware, or ``None`` if the course is not earned.
    issue_date: datetime | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("name", "school", "course_id", "letter_grade"):
            object.__setattr__(self, name, _text(getattr(self, name)))
        object.__setattr__(self, "name", self.name or "")
        _replace_invalid(self, "attempts", _is_count)
        _replace_invalid(self, "percent_grade", _is_fraction)
        _replace_invalid(self, "issue_date", is_storable_datetime)

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
    #: Aware, or ``None`` if unknown. An invalid value is treated as in ``CourseResult``.
    last_updated: datetime | None

    def __post_init__(self) -> None:
        _replace_invalid(self, "last_updated", is_storable_datetime)
        object.__setattr__(self, "completed", bool(self.completed))
        object.__setattr__(self, "courses", tuple(self.courses or ()))


def _replace_invalid(result: CourseResult | Progress, name: str, is_valid: Callable[[Any], bool]) -> None:
    value = getattr(result, name)
    if value is not None and not is_valid(value):
        _log_invalid(type(result).__name__, name, _key(value))
        object.__setattr__(result, name, None)


def _key(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  of the host's class, or a number too long for Python to write
        return type(value).__name__


@lru_cache(maxsize=256)
def _log_invalid(class_name: str, name: str, value: str) -> None:
    """Log each invalid value once, but not the value itself, which may be somebody's grade."""
    log.warning("the record source's %s.%s is invalid, so it is treated as unknown", class_name, name)


def _text(value: Any) -> Any:
    """Return ``value``, which may be an opaque key, as text that a page can contain: without half a surrogate pair."""
    return value if value is None or isinstance(value, Promise) else str(value).encode(errors="replace").decode()


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_ID


def _is_fraction(value: Any) -> bool:
    try:
        return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and 0 <= value <= MAX_FRACTION
    except InvalidOperation:  # NaN as a Decimal
        return False


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
    names = (conf.platform_name(), host.platform_name, site.name)
    return SiteConfiguration(
        platform_name=next((name for name in names if not is_invisible(str(name or ""))), site.domain),
        from_address=conf.from_address() or host.from_address or f"no-reply@{host_name(site.domain)}",
        records_help_url=host.records_help_url or "",
    )


@dataclass(frozen=True, kw_only=True)
class ProgramRecord:
    """A learner's record in a program, as the Program Record page shows it."""

    user: Learner = field(repr=False)  # whose repr is the username
    program: Program
    progress: Progress
    #: ``None`` while the record is not shared.
    shared_record: ProgramCertRecord | None

    @property
    def learner_name(self) -> str:
        """See ``users.display_name``."""
        return display_name(self.user)

    @property
    def email(self) -> str:
        """See ``users.email_address``."""
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
    if shared_record is None or not shared_record.user.is_active:
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
