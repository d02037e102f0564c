"""What people wait for: learners for requests and pages, staff for lists and numbers, operators for the catalog."""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from benchmarks import floors
from credit_pathways.reports import count_requests
from tests import factories
from tests.support.record_source import EARNED, FixedRecordSource

#: Differs in each response.
CSRF_TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="\w+"')


@dataclass(frozen=True, kw_only=True)
class Case:
    """``run`` is measured, in turns with ``floor``. What ``answer`` reads from the result of each must be equal."""

    name: str
    run: Callable[[], Any]
    floor: Callable[[], Any] | None = None
    answer: Callable[[Any], Any] = lambda returned: returned


def all_cases(catalog_file: Path) -> Iterator[Case]:
    """
    Yield the cases of a database that ``dataset.fill`` has filled from ``catalog_file``.

    Run each case before asking for the next one, because each prepares its own data.
    """
    # First, because the others add programs and pathways that are not in the file.
    yield Case(
        name="sync_catalog, nothing changed",
        run=partial(call_command, "sync_catalog", file=catalog_file, stdout=io.StringIO()),
    )
    yield from learner_cases(size=5)
    yield from learner_cases(size=50)
    yield from staff_cases(catalog_file.with_name("credit_requests.csv"))


def learner_cases(size: int) -> Iterator[Case]:
    """Yield the cases of a learner who has shared a record of ``size`` courses, with ``size`` requestable pathways."""
    FixedRecordSource.courses = [EARNED] * size
    shared = factories.ProgramCertRecordFactory()
    program = shared.program
    pathways = factories.PathwayFactory.create_batch(size, programs=[program])
    client = Client()
    client.force_login(shared.user)
    body = {"username": shared.user.username, "pathway_id": pathways[0].pk}
    yield Case(
        name=f"send, {size} courses and pathways",
        run=partial(_post_json, client, _url("send", program.uuid), body),
        floor=partial(_post_json, client, reverse("floor_send", args=[program.uuid]), body),
        answer=lambda response: response.json()["status"],
    )
    yield Case(
        name=f"page, {size} courses and pathways",
        run=partial(_get, client, _url("program_record", program.uuid)),
        floor=partial(_get, client, reverse("floor_page", args=[program.uuid])),
        answer=lambda response: CSRF_TOKEN.sub(b"", response.content),
    )
    yield Case(
        name=f"JSON, {size} courses and pathways",
        run=partial(_get, client, _url("api-records-detail", program.uuid)),
    )


def staff_cases(export_file: Path) -> Iterator[Case]:
    """Yield the cases of staff who may view credit requests."""
    client = Client()
    client.force_login(_staff_user())
    changelist = reverse("admin:credit_pathways_usercreditpathway_changelist")
    yield Case(name="admin list", run=partial(_get, client, changelist))
    since = timezone.now() - timedelta(days=365)
    yield Case(name="report, last year", run=partial(count_report, since), floor=partial(floors.count_report, since))
    yield Case(
        name="export, all",
        run=partial(call_command, "export_credit_requests", output=export_file),
        floor=partial(floors.export, export_file),
        answer=lambda _none: export_file.read_bytes().count(b"\n"),
    )


def _staff_user() -> Any:
    user = factories.UserFactory(is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="credit_pathways", codename__startswith="view_")
    )
    return user


def _url(name: str, *args: Any) -> str:
    return reverse(f"credit_pathways:{name}", args=args)


def _get(client: Client, path: str) -> HttpResponse:
    return _checked(client.get(path))


def _post_json(client: Client, path: str, body: dict[str, Any]) -> HttpResponse:
    return _checked(client.post(path, body, content_type="application/json"))


def _checked(response: HttpResponse) -> HttpResponse:
    """Return the response, if it is a success."""
    assert response.status_code == 200, response.content  # noqa: PLR2004
    return response


def count_report(since: datetime) -> dict[str, list[tuple[int, ...]]]:
    """Return the numbers of each table of the report, without the months in which there were no requests."""
    tables = {by: count_requests(by, since=since) for by in floors.REPORT_KEYS}
    return {
        by: sorted((line.requests, line.first, line.learners) for line in lines if line.requests)
        for by, lines in tables.items()
    }
