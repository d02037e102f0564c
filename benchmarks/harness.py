"""Cases with their floors: measured in turns, so that what slows one slows both; told as a table and JSON."""

import gc
import json
import platform
import statistics
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
    """
    Something that users wait for, and the least work that does the same job (``floors``).

    What ``work`` and ``floor`` return is the same for users: ``result`` of both is equal. ``before`` each run, outside
    the time, the ground is prepared. A ``floor`` that is not the least work, but another case to compare with, is named
    in ``beside``.
    """

    name: str
    work: Callable[[], Any]
    floor: Callable[[], Any]
    result: Callable[[Any], Any]
    before: Callable[[], Any] = bool
    runs: int = 200
    beside: str = ""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a case took: statements and p95 (``None``: not counted), milliseconds, and the ratio of the medians."""

    name: str
    statements: int | None
    median: float
    p95: float | None
    floor: float
    beside: str = ""

    @property
    def ratio(self) -> float:
        """How many times the floor the median is."""
        return self.median / self.floor


def measure(case: Case) -> Figures:
    """Run the case and its floor in turns, after one of each that does not count."""
    case.before()
    floor = case.result(case.floor())
    case.before()
    with CaptureQueriesContext(connection) as captured:
        answer = case.work()
    assert case.result(answer) == floor, (
        f"{case.name}: the floor does another job: {_differ(case.result(answer), floor)}"
    )
    statements = sum(not query["sql"].startswith(CONTROL) for query in captured)
    gc.collect()
    turns = [(timed(case.work, case.before), timed(case.floor, case.before)) for _run in range(case.runs)]
    return figures(case.name, turns, statements, case.beside)


def _differ(result: Any, other: Any) -> tuple[str, str]:
    """Return where the texts of both begin to differ."""
    one, two = str(result), str(other)
    at = next((number for number, pair in enumerate(zip(one, two, strict=False)) if pair[0] != pair[1]), 0)
    return one[max(0, at - 100) : at + 100], two[max(0, at - 100) : at + 100]


def figures(
    name: str, turns: Iterable[tuple[float, float]], statements: int | None = None, beside: str = ""
) -> Figures:
    """Return the medians of pairs of a case's and its floor's times, and what 95 of 100 runs do not exceed."""
    works, floors = zip(*turns, strict=True)
    p95 = sorted(works)[int(len(works) * 0.95)]
    median, floor = statistics.median(works), statistics.median(floors)
    return Figures(name=name, statements=statements, median=median, p95=p95, floor=floor, beside=beside)


def timed(work: Callable[[], Any], before: Callable[[], Any] = bool) -> float:
    """Return the milliseconds that it takes, ``before`` not counted."""
    before()
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def tell(found: Iterable[Figures]) -> list[Figures]:
    """Print a table as the figures come, and return them."""
    print(f"{connection.vendor}, Python {platform.python_version()}; milliseconds")
    print(f"{'':44} statements     median        p95      floor  ratio", flush=True)
    kept = []
    for one in found:
        statements = "" if one.statements is None else one.statements
        p95 = "" if one.p95 is None else f"{one.p95:.2f}"
        numbers = f"{one.median:10.2f} {p95:>10} {one.floor:10.2f} {one.ratio:6.2f}"
        print(f"{one.name:44} {statements:>10} {numbers}{one.beside and f'  beside {one.beside}'}", flush=True)
        kept.append(one)
    return kept


def write(found: Iterable[Figures], file: Path) -> None:
    """Write the figures as JSON."""
    cases = [{**asdict(one), "ratio": one.ratio} for one in found]
    data = {"vendor": connection.vendor, "python": platform.python_version(), "cases": cases}
    file.write_text(json.dumps(data, indent=1), encoding="utf-8")
