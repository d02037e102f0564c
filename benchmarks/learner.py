"""
Measure what learners, registrars and operators wait for, beside the least work that does the same (``floors``).

``make bench`` runs it on SQLite, ``make bench-all`` on PostgreSQL and MariaDB, too; ``docs/performance.rst`` explains
the figures. Nothing in it fails for being slow.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core import mail  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_databases, teardown_databases  # noqa: E402

from benchmarks import harness  # noqa: E402
from benchmarks.harness import Case  # noqa: E402
from credit_pathways.models import Program, ProgramCertRecord, UserCreditPathway  # noqa: E402
from tests import factories, smtp  # noqa: E402
from tests.record_source import EARNED, FixedRecordSource  # noqa: E402

LOCMEM = "django.core.mail.backends.locmem.EmailBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"

#: Courses, pathways, earlier requests.
SIZES = {"5, 5, 0": (5, 5, 0), "50, 50, 10000": (50, 50, 10_000)}


class Learner:
    """A learner at a browser, with a program that is shared already."""

    def __init__(self, *, pathways: int, requests: int) -> None:
        """Make so many pathways of the program, and so many earlier requests."""
        self.user = factories.UserFactory()
        self.program = factories.ProgramFactory()
        self.pathways = factories.PathwayFactory.create_batch(pathways, programs=[self.program])
        self.link = factories.ProgramCertRecordFactory(user=self.user, program=self.program)
        UserCreditPathway.objects.bulk_create(
            UserCreditPathway(user=self.user, pathway=self.pathways[0], program=self.program, status="sent")
            for _number in range(requests)
        )
        self.client = Client()
        self.client.force_login(self.user)

    def get(self, path: str) -> Callable[[], Any]:
        """Return what asks for a page."""
        return partial(_ask, self.client.get, path)

    def post(self, path: str, data: Any, **options: Any) -> Callable[[], Any]:
        """Return what sends a form, or JSON."""
        return partial(_ask, self.client.post, path, data, **options)


def _ask(method: Callable[..., Any], *args: Any, **options: Any) -> None:
    answer = method(*args, **options)
    assert answer.status_code in {HTTPStatus.OK, HTTPStatus.FOUND}, answer.content
    if settings.EMAIL_BACKEND == LOCMEM:
        mail.outbox.clear()


def _in_json(learner: Learner) -> Any:
    return json.dumps({"username": learner.user.username, "pathway_id": learner.pathways[0].pk})


def sends() -> Iterator[Case]:
    """Give the ways to request credit, with a mail sink in memory."""
    learner = Learner(pathways=5, requests=0)
    uuid, body = learner.program.uuid, _in_json(learner)
    send = learner.post(f"/records/programs/{uuid}/send", body, content_type="application/json")
    floor = learner.post(f"/floor/{uuid}/send", body, content_type="application/json")
    yield Case(name="send, shared already", work=send, floor=floor)
    yield Case(name="send, first time", work=_unshared(learner, send), floor=_unshared(learner, floor))
    ids = {"pathway": [pathway.pk for pathway in learner.pathways]}
    yield Case(
        name="five at once through the form",
        work=learner.post(f"/records/programs/{uuid}/request-credit", ids),
        floor=learner.post(f"/floor/{uuid}/form", ids),
    )
    for delay, name in ((0, "send, over SMTP"), (0.25, "send, over SMTP, 250 ms slow")):
        with _relay(delay):
            yield Case(name=name, work=send, floor=floor, runs=20 if delay else 200)


def _unshared(learner: Learner, work: Callable[[], Any]) -> Callable[[], Any]:
    """Return the same for a record that is not shared. What stops the sharing is counted on both sides."""

    def again() -> None:
        ProgramCertRecord.objects.filter(user=learner.user).delete()
        work()

    return again


@contextmanager
def _relay(delay: float) -> Iterator[None]:
    """Send over a real mail server."""
    with smtp.relay() as (relay, port):
        relay.delay = delay
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", port
        yield
        settings.EMAIL_BACKEND = LOCMEM


def pages() -> Iterator[Case]:
    """Give the pages of a program record, of two sizes."""
    for label, (courses, pathways, requests) in SIZES.items():
        learner = Learner(pathways=pathways, requests=requests)
        FixedRecordSource.courses = [EARNED] * courses
        uuid, link = learner.program.uuid, learner.link.uuid
        addresses = {
            "page": (f"programs/{uuid}/", f"{uuid}/page"),
            "JSON": (f"api/v1/program_records/{uuid}/", f"{uuid}/json"),
            "public record": (f"programs/shared/{link}/", f"{link}/public"),
            "CSV": (f"programs/shared/{link}/csv", f"{link}/csv"),
        }
        for name, (own, floor) in addresses.items():
            yield Case(
                name=f"{name}; {label}", work=learner.get(f"/records/{own}"), floor=learner.get(f"/floor/{floor}")
            )


def indexes() -> Iterator[Case]:
    """Give the learner's list, of two sizes."""
    FixedRecordSource.courses = [EARNED] * 5
    learner = Learner(pathways=1, requests=0)
    for count in (5, 50):
        Program.objects.exclude(pk=learner.program.pk).update(site=factories.SiteFactory())
        factories.ProgramFactory.create_batch(count - 1)
        yield Case(
            name=f"index, {count} programs", work=learner.get("/records/"), floor=learner.get("/floor/index"), runs=100
        )


def cases(only: str) -> Iterator[harness.Figures]:
    """Measure the cases, each as it comes: what one has made can be there for the next."""
    for make in (sends, pages, indexes):
        for case in make():
            if only in case.name:
                yield harness.measure(case)


def main() -> None:
    """Measure in a database of the tests' own."""
    chosen = harness.options(__doc__)
    settings.ROOT_URLCONF, settings.ALLOWED_HOSTS = "benchmarks.floors", ["testserver"]
    settings.EMAIL_BACKEND, settings.CREDIT_PATHWAYS_REQUEST_RATE = LOCMEM, None
    mail.outbox = []
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        harness.tell(cases(chosen.only), file=chosen.json)
    finally:
        teardown_databases(databases, verbosity=0)


if __name__ == "__main__":
    main()
