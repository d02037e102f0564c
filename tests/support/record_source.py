"""The record source of the test project."""

import os
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from django.contrib.sites.models import Site

from credit_pathways.models import Program
from credit_pathways.records import CourseResult, Progress, RecordSource
from credit_pathways.users import Learner

#: The username of a learner who has no record in any program.
NO_RECORD = "no-record"

EARNED = CourseResult(
    "Probability", "Northfield", "course-v1:N+P+1", 2, 0.914, "Distinction", datetime(2026, 6, 15, tzinfo=UTC)
)
NOT_EARNED = CourseResult("Inference", "Northfield", "course-v1:N+I+1", 0, None, "", None)


class FixedRecordSource(RecordSource):
    """The same courses for every learner except one. Tests patch the class attributes."""

    completed = False
    courses: Sequence[CourseResult] = (EARNED, NOT_EARNED)

    def progress(self, user: Learner, program: Program) -> Progress | None:
        if user.username == NO_RECORD:
            return None
        return Progress(self.completed, self.courses, datetime(2026, 7, 1, tzinfo=UTC))

    def programs(self, user: Learner, site: Site) -> Iterable[Program]:
        return Program.objects.filter(site=site).order_by("title")


class KillingRecordSource(FixedRecordSource):
    """Kills its process, as the kernel does with one that uses too much memory."""

    def progress(self, user: Learner, program: Program) -> Progress | None:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class HangingRecordSource(FixedRecordSource):
    """Ignores the soft time limit, so that Celery kills its process."""

    def progress(self, user: Learner, program: Program) -> Progress | None:
        while True:
            with suppress(Exception):
                time.sleep(60)
