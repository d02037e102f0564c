"""What learners and registrars wait for, in the process of the benchmark: requests, pages, lists."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core import mail
from django.http import HttpResponse
from django.test import Client

from benchmarks.harness import Case, Figures
from credit_pathways.models import Program, ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support import smtp
from tests.support.record_source import EARNED, FixedRecordSource

LOCMEM = "django.core.mail.backends.locmem.EmailBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"

#: Courses, pathways, earlier requests.
SIZES = {"5, 5, 0": (5, 5, 0), "5, 5, 10000": (5, 5, 10_000), "50, 50, 10000": (50, 50, 10_000)}

#: A token differs each time.
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="\w+"')


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

    def get(self, path: str) -> Callable[[], HttpResponse]:
        """Return what asks for a page."""
        return partial(_ask, self.client.get, path)

    def post(self, path: str, data: Any, **options: Any) -> Callable[[], HttpResponse]:
        """Return what sends a form, or JSON."""
        return partial(_ask, self.client.post, path, data, **options)

    def send(self, path: str) -> Callable[[], HttpResponse]:
        """Return what requests credit along the first pathway."""
        body = json.dumps({"username": self.user.username, "pathway_id": self.pathways[0].pk})
        return self.post(path, body, content_type="application/json")


def _ask(method: Callable[..., HttpResponse], *args: Any, **options: Any) -> HttpResponse:
    answer = method(*args, **options)
    assert answer.status_code < HTTPStatus.BAD_REQUEST, answer.content
    if settings.EMAIL_BACKEND == LOCMEM:
        mail.outbox.clear()
    return answer


def status(answer: HttpResponse) -> Any:
    """Return what ``send`` says became of the request; each has another id."""
    return answer.status_code, answer.json()["status"]


def text(answer: HttpResponse) -> bytes:
    """Return what a browser shows."""
    return TOKEN.sub(b"", answer.content)


def sends() -> Iterator[Case]:
    """Give the ways to request credit: with a mail sink in memory, and over a mail server, a slow one too."""
    learner = Learner(pathways=5, requests=0)
    uuid = learner.program.uuid
    send, floor = learner.send(f"/records/programs/{uuid}/send"), learner.send(f"/floor/{uuid}/send")
    unshare = ProgramCertRecord.objects.filter(user=learner.user).delete
    own = UserCreditPathway.objects.filter(user=learner.user)
    ids = {"pathway": [pathway.pk for pathway in learner.pathways]}

    def forget() -> None:
        own.delete()
        learner.client.cookies.pop("messages", None)  # which no page has shown

    form = learner.post(f"/records/programs/{uuid}/request-credit", ids)
    form_floor = learner.post(f"/floor/{uuid}/form", ids)
    raw = learner.send(f"/floor/{uuid}/send?user=raw")
    yield Case(name="send, shared already; user=raw", work=send, floor=raw, result=status)
    for sink, runs in {"": 200, ", over SMTP": 200, ", over SMTP, 250 ms slow": 10}.items():
        with _relay(sink):
            yield Case(name=f"send, shared already{sink}", work=send, floor=floor, result=status, runs=runs)
            yield Case(name=f"send, first time{sink}", work=send, floor=floor, result=status, before=unshare, runs=runs)
            yield Case(
                name=f"five at once{sink}",
                work=form,
                floor=form_floor,
                result=lambda answer: (answer.status_code, own.filter(status="sent").count()),
                before=forget,
                runs=runs // 2,
            )


@contextmanager
def _relay(sink: str) -> Iterator[None]:
    """Send over a real mail server, if the sink's name says so."""
    if not sink:
        yield
        return
    with smtp.relay() as (relay, port):
        relay.delay = 0.25 if "slow" in sink else 0
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", port
        try:
            yield
        finally:
            settings.EMAIL_BACKEND = LOCMEM


def pages() -> Iterator[Case]:
    """Give the pages of a program record, of each size."""
    for label, (courses, pathways, requests) in SIZES.items():
        learner = Learner(pathways=pathways, requests=requests)
        FixedRecordSource.courses = [EARNED] * courses
        uuid, link = learner.program.uuid, learner.link.uuid
        addresses: dict[str, tuple[str, str, Callable[[HttpResponse], Any]]] = {
            "page": (f"programs/{uuid}/", f"{uuid}/page", text),
            "page; user=raw": (f"programs/{uuid}/", f"{uuid}/page?user=raw", text),
            "JSON": (f"api/v1/program_records/{uuid}/", f"{uuid}/json", lambda answer: answer.json()),
            "JSON; user=raw": (
                f"api/v1/program_records/{uuid}/",
                f"{uuid}/json?user=raw",
                lambda answer: answer.json(),
            ),
            "public record": (f"programs/shared/{link}/", f"{link}/public", text),
            "CSV": (f"programs/shared/{link}/csv", f"{link}/csv", text),
        }
        for name, (own, floor, result) in addresses.items():
            work = learner.get(f"/records/{own}")
            yield Case(name=f"{name}; {label}", work=work, floor=learner.get(f"/floor/{floor}"), result=result)


def indexes() -> Iterator[Case]:
    """Give the learner's list, of two sizes."""
    FixedRecordSource.courses = [EARNED] * 5
    learner = Learner(pathways=1, requests=0)
    work, floor = learner.get("/records/"), learner.get("/floor/index")
    for count in (5, 50):
        Program.objects.exclude(pk=learner.program.pk).update(site=factories.SiteFactory())
        factories.ProgramFactory.create_batch(count - 1)
        yield Case(name=f"index, {count} programs", work=work, floor=floor, result=text, runs=100)


def growth(found: Sequence[Figures]) -> dict[str, float]:
    """
    Return how many times longer each page takes with 50 courses, 50 pathways and 10,000 earlier requests.

    What its floor takes longer, to show the rows, is not counted.
    """
    small, _many, large = SIZES
    by_name = {one.name: one for one in found}
    pairs = {
        name.removesuffix(f"; {small}"): (one, by_name[name.replace(small, large)])
        for name, one in by_name.items()
        if name.endswith(small)
    }
    return {name: (more.median - (more.floor - less.floor)) / less.median for name, (less, more) in pairs.items()}
