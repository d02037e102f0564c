"""
Measure what learners, registrars, staff and operators wait for, beside the least work that does the same (``floors``).

``make bench`` runs it on SQLite, ``make bench-all`` on PostgreSQL and MariaDB with Redis, too; ``docs/performance.rst``
explains the figures. Nothing in it fails for being slow. Groups can be named, to run these alone.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core import mail  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import setup_databases, teardown_databases  # noqa: E402

from benchmarks import breakdown, catalog, harness, learner, queue, staff, startup  # noqa: E402
from benchmarks.harness import Case, Figures  # noqa: E402


def arguments(groups: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", choices=[*groups, []], help="default: all")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--runs", type=int, default=200, help="runs of a case at most; those that take long have fewer")
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 1_000_000], help="requests that staff look at")
    parser.add_argument("--broker", help="measure delivery by Celery over this Redis, too (not on SQLite)")
    return parser.parse_args()


@contextmanager
def database() -> Iterator[None]:
    """Make the tests' database, and remove it."""
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        yield
    finally:
        connection.close()
        teardown_databases(databases, verbosity=0)


def prepare() -> None:
    """Have a host as its operators have it: durable commits, unlike the tests' SQLite; but no limit to requests."""
    if connection.vendor == "sqlite":
        connection.settings_dict["OPTIONS"].clear()
    settings.ROOT_URLCONF, settings.ALLOWED_HOSTS = "benchmarks.floors", ["testserver"]
    settings.EMAIL_BACKEND, settings.CREDIT_PATHWAYS_REQUEST_RATE = learner.LOCMEM, None
    mail.outbox = []


def measured(cases: Iterator[Case], runs: int) -> Iterator[Figures]:
    """Measure the cases, each as it comes: what one has made can be there for the next."""
    for case in cases:
        yield harness.measure(Case(**{**vars(case), "runs": min(runs, case.runs)}))


def in_one_database(*makers: Callable[[], Iterator[Case]], runs: int) -> Iterator[Figures]:
    """Measure the cases of all makers in a database of the tests' own."""
    with database():
        for make in makers:
            yield from measured(make(), runs)


def figures(options: argparse.Namespace) -> Iterator[Figures]:
    """Give the figures of each group that was asked for."""
    ...


def main() -> None:
    ...


if __name__ == "__main__":
    main()
