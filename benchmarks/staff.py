"""
Measure what staff and analysts wait for, at two sizes of the table (``docs/performance.rst``, "Staff").

With what ``requirements/services.txt`` lists, in the project's directory::

    TEST_DATABASE_URL=postgres://postgres@127.0.0.1/bench .venv/bin/python -m benchmarks.staff --rows 10000 1000000

It makes a database for each size (``test_bench_10000``, ``test_bench_1000000``), and drops it at the end, unless told
to keep it for the next run. Nothing in it fails for being slow.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.models import Permission  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import Count  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from benchmarks.dataset import fill  # noqa: E402
from benchmarks.handwritten import REPORT, report_sql  # noqa: E402
from benchmarks.harness import timed  # noqa: E402
from credit_pathways.models import UserCreditPathway  # noqa: E402
from credit_pathways.reports import count_requests  # noqa: E402

LIST, API = "/admin/credit_pathways/usercreditpathway/", "/records/api/v1/credit_requests/"
#: Runs of each case: enough for a median, and few where one takes seconds.
VIEWS, REPORTS = 21, 5


@contextmanager
def database(rows: int, *, keep: bool) -> Iterator[None]:
    """Make a database with so many requests, or take the one that was kept."""
    original, of_tests = connection.settings_dict["NAME"], connection.settings_dict["TEST"]["NAME"]
    file = Path(tempfile.gettempdir()) / f"benchmarks_{os.getpid()}_{rows}.sqlite3"
    name = str(file) if connection.vendor == "sqlite" else f"test_{original}_{rows}"
    connection.settings_dict["TEST"]["NAME"] = name
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False, keepdb=keep)
    try:
        if UserCreditPathway.objects.count() != rows:
            fill(rows)
        yield
    finally:
        connection.creation.destroy_test_db(original, verbosity=0, keepdb=keep)
        connection.settings_dict["TEST"]["NAME"] = of_tests


def staff() -> Client:
    """Return a browser of somebody who may view what is the app's."""
    user = get_user_model().objects.get_or_create(username="staff", is_staff=True)[0]
    own = Permission.objects.filter(content_type__app_label="credit_pathways", codename__startswith="view_")
    user.user_permissions.set(own)
    settings.ALLOWED_HOSTS = ["testserver"]
    client = Client()
    client.force_login(user)
    return client


def views() -> dict[str, str]:
    """Return the addresses that are measured."""
    programs = _by_number("program")
    pathways = _by_number("pathway")
    row = UserCreditPathway.objects.filter(program__isnull=False).select_related("user").last()
    assert row is not None
    last_week = (datetime.now(UTC) - timedelta(days=7)).date()
    filters = {
        "status sent": "status=sent",
        "status failed": "status=failed",
        "status pending": "status=pending",
        "institution": f"institution={row.pathway.org_name}".replace(" ", "+"),
        "busiest pathway": f"pathway={pathways[0]}",
        "rarest pathway": f"pathway={pathways[-1]}",
        "busiest program": f"program={programs[0]}",
        "rarest program": f"program={programs[-1]}",
        "last week": f"since={last_week}",
        "a week three years ago": f"since={last_week - timedelta(days=1095)}&until={last_week - timedelta(days=1088)}",
        "failed, of a program": f"status=failed&program={programs[0]}",
        "search: username": f"q={row.user.username}",
        "search: address": f"q={row.user.email}",
        "search: number": f"q={row.pk}",
        "search: nothing found": "q=nobody",
        "oldest first": "o=7",
        "page 100": "p=100",
    }
    lists = {f"list, {name}": f"{LIST}?{query}" for name, query in filters.items()}
    return {
        "list": LIST,
        **lists,
        "pathways": "/admin/credit_pathways/pathway/",
        "programs": "/admin/credit_pathways/program/",
        "shared records": "/admin/credit_pathways/programcertrecord/",
        "API": API,
        "API, busiest program": f"{API}?program={UserCreditPathway(program_id=programs[0]).program.uuid}",  # type: ignore[union-attr]
        "API, failed": f"{API}?status=failed",
        "API, a learner": f"{API}?user={row.user.username}",
        "API, last week": f"{API}?created_after={last_week}T00:00:00Z",
    }


def _by_number(name: str) -> list[int]:
    """Return the keys of the programs, or pathways, the most requested first."""
    rows = UserCreditPathway.objects.exclude(**{name: None}).values(name)
    return list(rows.annotate(number=Count("pk")).order_by("-number").values_list(name, flat=True))


def measure(work: Callable[[], Any], runs: int) -> float:
    """Return the median of the milliseconds that it takes, after one run that does not count."""
    work()
    return statistics.median(timed(work) for _run in range(runs))


def measure_views() -> dict[str, tuple[int, int, float]]:
    """Return the statements, the rows shown (with the headings) and the milliseconds of each view."""
    client = staff()
    client.raise_request_exception = True
    found = {}
    for name, address in views().items():
        with CaptureQueriesContext(connection) as statements:
            answer = client.get(address)
        assert answer.status_code == HTTPStatus.OK, (name, answer.status_code)
        shown = answer.content.count(b'"created":' if name.startswith("API") else b"<tr>")
        found[name] = (len(statements), shown, measure(lambda address=address: client.get(address), VIEWS))
    return found


def measure_reports() -> None:
    """Print each table of the report, and the same aggregates by hand."""
    now = datetime.now(UTC)
    for label, since in (("all", None), ("a year", now - timedelta(days=365)), ("a month", now - timedelta(days=30))):
        for by in REPORT:
            sql, params = report_sql(connection.vendor, by, since)
            own = measure(lambda by=by, since=since: count_requests(by, since=since), REPORTS)
            floor = measure(lambda sql=sql, params=params: _run(sql, params), REPORTS)
            assert _same(count_requests(by, since=since), _run(sql, params)), by
            print(f"report, {label}, by {by}: {own:8.0f} ms, by hand {floor:8.0f} ms: {own / floor:.2f}", flush=True)


def _run(sql: str, params: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _same(lines: list[Any], rows: list[Any]) -> bool:
    """Return whether both counted the same."""
    numbers = sorted((line.requests, line.first, line.learners) for line in lines)
    return numbers == sorted((int(requests), int(first), int(learners)) for *_key, requests, first, learners in rows)


def print_plan() -> None:
    """Print how the database counts a month."""
    sql, params = count_requests_sql("program", datetime.now(UTC) - timedelta(days=30))
    explain = "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " if connection.vendor == "postgresql" else "EXPLAIN "
    for row in _run(explain + sql, params):
        print("   ", *row)


def count_requests_sql(by: str, since: datetime) -> tuple[str, list[Any]]:
    """Return the statement of a table of the report."""
    statements: list[tuple[str, Any]] = []

    def keep(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        count_requests(by, since=since)
    return statements[0][0], list(statements[0][1])


def measure_export() -> tuple[float, float]:
    """Export all rows in a process of its own; return its largest memory in MB, and the seconds."""
    address = f"{os.environ['TEST_DATABASE_URL'].rsplit('/', 1)[0]}/{connection.settings_dict['NAME']}"
    command = [sys.executable, "-c", EXPORT]
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        done = subprocess.run(  # noqa: S603
            [*command, f"{folder}/requests.csv"],
            env={**os.environ, "TEST_DATABASE_URL": address},
            check=True,
            capture_output=True,
            text=True,
        )
        return int(done.stdout) / 1024, time.monotonic() - began


#: A child's own peak: the parent's, which it begins with, would hide it.
EXPORT = """
import resource, sys, django
django.setup()
from django.core.management import call_command
call_command("export_credit_requests", "--output", sys.argv[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main() -> None:
    """Measure both sizes, and print each with its ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs=2, default=[10_000, 1_000_000], metavar=("SMALL", "LARGE"))
    parser.add_argument("--keep", action="store_true", help="keep the databases, or use those that were kept")
    options = parser.parse_args()
    small, large = options.rows
    with database(small, keep=options.keep):
        few, few_memory = measure_views(), measure_export()
    with database(large, keep=options.keep):
        many, many_memory = measure_views(), measure_export()
        print(f"{connection.vendor}: statements; rows shown, median ms at {small} and {large} rows")
        for name, (statements, shown, median) in many.items():
            _statements, shown_before, before = few[name]
            numbers = f"{shown_before:4} {before:8.1f} {shown:4} {median:8.1f} {median / before:6.2f}"
            print(f"{name:30} {statements:3} {numbers}")
        (before, _seconds), (after, seconds) = few_memory, many_memory
        print(f"export: {before:.0f} MB and {after:.0f} MB at most; {seconds:.1f} s for {large} rows")
        measure_reports()
        print_plan()


if __name__ == "__main__":
    main()
