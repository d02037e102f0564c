"""Delivery by Celery, over Redis, with real workers: what a learner waits for, and what workers get done."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from redis import Redis

from benchmarks.capacity import create, environment, measure_worker, rate
from benchmarks.floors import LIST
from benchmarks.harness import Case, Figures
from benchmarks.learner import Learner, status
from tests.support import smtp
from tests.support.processes import Process, worker_command

SLOW = 0.25


@contextmanager
def deliver_by_celery() -> Iterator[None]:
    """Let the benchmark's own process queue what it is asked for."""
    settings.CREDIT_PATHWAYS_DELIVERY = "celery"
    try:
        yield
    finally:
        settings.CREDIT_PATHWAYS_DELIVERY = "inline"


@contextmanager
def worker(broker: str, delay: float, folder: Path) -> Iterator[str]:
    """Run a worker over a relay that takes so many seconds for a mail; give the name of its queue."""
    with smtp.relay() as (relay, port):
        relay.delay = delay
        context = environment(broker, port)
        command = worker_command(context["TEST_QUEUE"], 2)
        with Process(*command, log=folder / f"worker-{delay}", environment=context):
            try:
                yield context["TEST_QUEUE"]
            finally:
                forget(context["TEST_QUEUE"])


def forget(queue: str) -> None:
    """Remove what the benchmarks put into Redis."""
    Redis.from_url(settings.CELERY_BROKER_URL).delete(queue, f"_kombu.binding.{queue}", LIST)


def sends(broker: str) -> Iterator[Case]:
    """Give ``send``, while a worker with a fast relay delivers, and while one with a slow relay does."""
    learner = Learner(pathways=5, requests=0)
    path = f"{learner.program.uuid}/send"
    send, floor = learner.send(f"/records/programs/{path}"), learner.send(f"/floor/{learner.program.uuid}/queue")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        stack.enter_context(deliver_by_celery())
        fast, slow = (stack.enter_context(worker(broker, delay, Path(folder))) for delay in (0, SLOW))
        # What a worker does for one run should be over before the next: the machine is one.
        more: dict[str, Any] = {"result": status, "before": lambda: time.sleep(0.05)}
        yield Case(name="send, by Celery", work=_over(fast, send), floor=floor, **more)
        yield Case(
            name="send, by Celery, relay 250 ms slow",
            work=_over(slow, send),
            floor=_over(fast, send),
            beside="a fast relay",
            **more,
        )


def _over(queue: str, send: Callable[[], Any]) -> Callable[[], Any]:
    """Return the same, with another queue."""

    def work() -> Any:
        settings.CREDIT_PATHWAYS_CELERY_QUEUE = queue
        return send()

    return work


def throughput(broker: str, requests: int) -> Iterator[Figures]:
    """Give the milliseconds that a mail takes with 1, 2 and 4 processes, beside as many plain ones."""
    with smtp.relay() as (_relay, port), tempfile.TemporaryDirectory() as folder:
        context, log = environment(broker, port), Path(folder) / "log"
        for processes in (1, 2, 4):
            own = 1000 / measure_worker(context, log, requests, processes)
            floor = 1000 / _plain(context, log, requests, processes)
            name = f"a mail of a worker, {processes} processes"
            yield Figures(name=name, statements=None, median=own, p95=None, floor=floor)
        forget(context["TEST_QUEUE"])


def _plain(context: dict[str, str], log: Path, requests: int, processes: int) -> float:
    """Return how many mails plain processes send in a second."""
    redis = Redis.from_url(settings.CELERY_BROKER_URL)
    redis.delete(LIST)
    redis.rpush(LIST, *(row.pk for row in create(requests)))
    with ExitStack() as stack:
        command = ("benchmarks.plain_worker", LIST)
        for _number in range(processes - 1):
            stack.enter_context(Process(*command, log=log, environment=context))
        return rate(Process(*command, log=log, environment=context), requests, processes)
