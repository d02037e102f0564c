"""
Measure what learners, registrars, staff and operators wait for, beside the least work that does the same (``floors``).

``make bench`` runs it on SQLite, ``make bench-all`` on PostgreSQL and MariaDB with Redis, too; ``docs/performance.rst``
explains the figures. Nothing in it fails for being slow.
"""

import argparse
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core import mail  # noqa: E402
from django.db import connection  # noqa: E402

from benchmarks import admin, catalog, harness, learner, staff, startup, workers  # noqa: E402
from benchmarks.capacity import database  # noqa: E402
from benchmarks.harness import Case, Figures  # noqa: E402


def prepare() -> None:
    """Have a host as its operators have it: durable commits, unlike the tests' SQLite; but no limit to requests."""
    if connection.vendor == "sqlite":
        connection.settings_dict["OPTIONS"].clear()
    settings.ROOT_URLCONF, settings.ALLOWED_HOSTS = "benchmarks.floors", ["testserver"]
    settings.EMAIL_BACKEND, settings.CREDIT_PATHWAYS_REQUEST_RATE = learner.LOCMEM, None
    mail.outbox = []


def measured(cases: Generator[Case], runs: int) -> Iterator[Figures]:
    """Measure the cases, each as it comes: what one has made can be there for the next."""
    with closing(cases):
        for case in cases:
            yield harness.measure(replace(case, runs=min(runs, case.runs)))


def of_learners(options: argparse.Namespace) -> Iterator[Figures]:
    """Measure requests, pages and lists; delivery by Celery, too, if there is a broker."""
    with database():
        for make in (learner.sends, learner.pages, learner.indexes):
            yield from measured(make(), options.runs)
        if options.broker:
            yield from measured(workers.sends(options.broker), options.runs)


def of_staff(options: argparse.Namespace) -> Iterator[Figures]:
    """Measure the admin's pages, report and export, in a database of each size."""
    for rows in options.rows:
        with staff.database(rows, keep=False):
            yield from measured(admin.cases(rows), options.runs)


def of_operators(options: argparse.Namespace) -> Iterator[Figures]:
    """Measure the command that copies the catalog, the start of a host, and workers, if there is a broker."""
    yield from startup.measured(options.runs)
    with database():
        yield from measured(catalog.cases(), options.runs)
        if options.broker:
            yield from workers.throughput(options.broker, max(100, 5 * options.runs))


GROUPS: dict[str, Callable[[argparse.Namespace], Iterator[Figures]]] = {
    "learners": of_learners,
    "staff": of_staff,
    "operators": of_operators,
}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=GROUPS, help="one group of the cases")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--runs", type=int, default=200, help="runs of a case at most; those that take long have fewer")
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 1_000_000], help="requests that staff look at")
    parser.add_argument("--broker", help="address of Redis; without one, delivery by Celery is not measured")
    options = parser.parse_args()
    if options.broker and connection.vendor == "sqlite":
        parser.error("--broker: workers need a database that more than one process writes to; set TEST_DATABASE_URL")
    return options


def main() -> None:
    """Measure, and tell."""
    options = arguments()
    prepare()
    groups = [GROUPS[options.only]] if options.only else GROUPS.values()
    found = harness.tell(one for group in groups for one in group(options))
    for name, times in learner.growth(found).items():
        print(f"{name}: {times:.2f} times as long with 50, 50, 10000 as with 5, 5, 0, but for what the rows take")
    if options.json:
        harness.write(found, options.json)


if __name__ == "__main__":
    main()
