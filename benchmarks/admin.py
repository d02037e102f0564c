"""What staff wait for, with ten thousand requests and with a million: list, search, report, export."""

import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client

from benchmarks import staff_floors
from benchmarks.handwritten import REPORT
from benchmarks.harness import Case
from benchmarks.staff import LIST, staff
from credit_pathways.models import UserCreditPathway
from credit_pathways.reports import count_requests

ROW = re.compile(rb'href="(?:/admin/credit_pathways/usercreditpathway/)?(\d+)/change/')


def cases(rows: int) -> Iterator[Case]:
    """Give the cases, in a database of so many requests."""
    client = staff()
    last = UserCreditPathway.objects.select_related("user").latest("pk")
    for name, query in {"list": "", "search": f"?q={last.user.username}"}.items():
        work, floor = partial(_get, client, f"{LIST}{query}"), partial(_get, client, f"/floor/list{query}")
        yield Case(name=f"admin {name}, {rows} requests", work=work, floor=floor, result=_shown, runs=40)
    runs = 20 if rows < 100_000 else 3  # noqa: PLR2004
    since = datetime(last.created.year - 1, last.created.month, 1, tzinfo=UTC)
    yield Case(
        name=f"report's counts, {rows} requests",
        work=partial(_report, since),
        floor=partial(staff_floors.report, since),
        result=dict,
        runs=runs,
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requests.csv"
        yield Case(
            name=f"export, {rows} requests",
            work=partial(call_command, "export_credit_requests", output=file),
            floor=partial(staff_floors.export, file),
            result=lambda _done: file.read_bytes(),
            before=partial(file.unlink, missing_ok=True),
            runs=runs,
        )


def _get(client: Client, path: str) -> HttpResponse:
    return client.get(path)


def _shown(answer: HttpResponse) -> list[bytes]:
    """Return the numbers of the rows, which of each are in one link."""
    rows = ROW.findall(answer.content)
    assert rows, answer.status_code
    return rows


def _report(since: datetime) -> dict[str, list[tuple[int, ...]]]:
    counted = {by: count_requests(by, since=since) for by in REPORT}
    return {by: sorted((one.requests, one.first, one.learners) for one in lines) for by, lines in counted.items()}
