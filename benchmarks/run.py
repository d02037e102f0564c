"""
Measure what people wait for (``cases``), some of it beside the least work that gives the same answer (``floors``).

``make bench`` runs this on SQLite, ``make bench-all`` on PostgreSQL and MariaDB, too. ``docs/performance.rst`` explains
the figures. Nothing here fails because a machine is slow.
"""

import argparse
import gc
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings

from benchmarks.cases import Case, all_cases
from benchmarks.dataset import fill, test_database

#: Seconds after which a case is not run again, whatever ``--runs`` is.
MAX_SECONDS = 60

TRANSACTION_CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET")

#: The tests' host with the floors' URLs, a mailbox in memory, and no limit to requests.
SETTINGS = {
    "ROOT_URLCONF": "benchmarks.floors",
    "ALLOWED_HOSTS": ["testserver"],
    "EMAIL_BACKEND": "django.core.mail.backends.locmem.EmailBackend",
    "CREDIT_PATHWAYS_REQUEST_RATE": None,
}


class Figures(NamedTuple):
    """Times are in milliseconds."""

    statements: int
    median: float
    #: What 95 of 100 runs do not exceed.
    p95: float
    floor: float | None


def measure(case: Case, runs: int) -> Figures:
    """Run the case and its floor in turns, so that whatever slows one slows both."""
    statements = warm_up(case)
    gc.collect()
    times, floor_times = [], []
    end = time.monotonic() + MAX_SECONDS
    while len(times) < runs and (not times or time.monotonic() < end):
        times.append(milliseconds(case.run))
        if case.floor:
            floor_times.append(milliseconds(case.floor))
    p95 = sorted(times)[int(len(times) * 0.95)]
    return Figures(statements, statistics.median(times), p95, statistics.median(floor_times) if floor_times else None)


def warm_up(case: Case) -> int:
    """Check that the floor gives the same answer; return the number of statements, without transaction control."""
    if case.floor:
        floor_answer = case.answer(case.floor())
    with CaptureQueriesContext(connection) as captured:
        returned = case.run()
    if case.floor:
        assert case.answer(returned) == floor_answer, f"{case.name}: the floor gives another answer"
    return sum(not query["sql"].startswith(TRANSACTION_CONTROL) for query in captured)


def milliseconds(function: Callable[[], Any]) -> float:
    """Return how long the function takes."""
    start = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - start)


def print_figures(rows: int, runs: int) -> None:
    """Measure all cases with ``rows`` credit requests, and print a line for each."""
    with test_database(), tempfile.TemporaryDirectory() as folder:
        catalog_file = Path(folder) / "catalog.json"
        fill(rows, catalog_file)
        print(f"\n{connection.vendor}, Python {platform.python_version()}, {rows:,} credit requests; milliseconds")
        print(f"{'':32} statements     median        p95      floor  ratio")
        for case in all_cases(catalog_file):
            found = measure(case, runs)
            floor = f"{found.floor:10.2f} {found.median / found.floor:6.2f}" if found.floor else ""
            print(f"{case.name:32} {found.statements:10} {found.median:10.2f} {found.p95:10.2f} {floor}", flush=True)


def main() -> None:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[10_000, 1_000_000], help="credit requests in the database"
    )
    parser.add_argument(
        "--runs", type=int, default=100, help=f"of each case; fewer if they take more than {MAX_SECONDS} s"
    )
    options = parser.parse_args()
    with override_settings(**SETTINGS):
        for rows in options.rows:
            print_figures(rows, options.runs)


if __name__ == "__main__":
    main()
