"""Cases with their floors: measured in turns, so that what slows one slows both; told as a table and JSON."""

import argparse
import gc
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

#: Transaction control is no question to the database.
CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET")


@dataclass(frozen=True, kw_only=True)
class Case:
    """Something that users wait for, and the least work that does the same job (``floors``)."""

    name: str
    work: Callable[[], Any]
    floor: Callable[[], Any]
    runs: int = 200


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a case took: statements, milliseconds, and the ratio of the medians."""

    name: str
    statements: int
    median: float
    p95: float
    floor: float
    ratio: float


def measure(case: Case) -> Figures:
    """Run the case and its floor in turns, after one of each that does not count."""
    case.floor()
    case.work()
    with CaptureQueriesContext(connection) as captured:
        case.work()
    statements = sum(not query["sql"].startswith(CONTROL) for query in captured)
    gc.collect()
    turns = [(timed(case.work), timed(case.floor)) for _run in range(case.runs)]
    works, floors = sorted(work for work, _floor in turns), [floor for _work, floor in turns]
    median, floor = statistics.median(works), statistics.median(floors)
    p95 = works[int(len(works) * 0.95)]
    return Figures(name=case.name, statements=statements, median=median, p95=p95, floor=floor, ratio=median / floor)


def timed(work: Callable[[], Any]) -> float:
    """Return the milliseconds that it takes."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def tell(found: Iterable[Figures], *, file: Path | None) -> None:
    """Print the table as the figures come; write the JSON at the end, if there is to be a file."""
    print(f"{connection.vendor}, Python {platform.python_version()}; milliseconds")
    print(f"{'':44} statements  median     p95   floor   ratio")
    figures = []
    for one in found:
        numbers = f"{one.median:7.2f} {one.p95:7.2f} {one.floor:7.2f} {one.ratio:7.2f}"
        print(f"{one.name:44} {one.statements:10} {numbers}", flush=True)
        figures.append(asdict(one))
    if file:
        file.write_text(json.dumps({"vendor": connection.vendor, "cases": figures}, indent=1), encoding="utf-8")


def options(description: str | None) -> argparse.Namespace:
    """Read the command line: where the JSON goes, and which cases are run."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--only", default="", help="run the cases whose name has this in it")
    return parser.parse_args(sys.argv[1:])
