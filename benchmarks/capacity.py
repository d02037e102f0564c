"""
How many emails a Celery worker sends, and how many requests gunicorn answers, in a second.

It needs Redis or RabbitMQ, and a database that several processes can write to::

    TEST_DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres .venv/bin/python -m benchmarks.capacity \
        --broker redis://127.0.0.1:6379/0

The mail server, the clients, the database, the broker, the workers and gunicorn share the machine.
"""

import argparse
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.test.utils import override_settings

from benchmarks.dataset import test_database
from credit_pathways.api import request_credit
from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support import smtp
from tests.support.celery_app import app
from tests.support.load import session_of, timed
from tests.support.processes import Process, Web, worker_command
from tests.support.threads import wait_until

#: Processes of the worker, and the seconds that the mail server takes for an email.
WORKERS = [(1, 0), (2, 0), (4, 0), (4, 0.05), (4, 0.25), (16, 0.25)]
CLIENTS = 32


@contextmanager
def queue(broker: str) -> Iterator[None]:
    """Deliver through a queue of our own, and delete it at the end."""
    name = f"benchmark-{uuid.uuid4()}"
    app.set_default()
    with override_settings(
        CREDIT_PATHWAYS_DELIVERY="celery", CREDIT_PATHWAYS_CELERY_QUEUE=name, CELERY_BROKER_URL=broker
    ):
        try:
            yield
        finally:
            with app.connection_for_write() as broker_connection:
                bound = app.amqp.queues[name](broker_connection.default_channel)
                bound.declare()  # or Kombu would not know what there is to delete in Redis
                bound.delete()


def environment(port: int) -> dict[str, str]:
    """Return what ``tests.services.settings`` reads, for a mail server on this port."""
    address = os.environ["TEST_DATABASE_URL"].rsplit("/", 1)[0]
    return {
        "DJANGO_SETTINGS_MODULE": "tests.services.settings",
        "TEST_DATABASE_URL": f"{address}/{connection.settings_dict['NAME']}",
        "TEST_RELAY_PORT": str(port),
        "TEST_BROKER_URL": settings.CELERY_BROKER_URL,
        "TEST_QUEUE": settings.CREDIT_PATHWAYS_CELERY_QUEUE,
        "TEST_DELIVERY": "celery",
    }


def emails_per_second(worker: Process, processes: int, requests: int) -> float:
    """Queue the requests, start the worker, and measure from when each of its processes is likely to be busy."""
    UserCreditPathway.objects.all().delete()
    enqueue(requests)
    with worker:
        wait_until(lambda: _sent() >= processes)
        start, first = time.monotonic(), _sent()
        wait_until(lambda: _sent() == requests, 3600)
        return (requests - first) / (time.monotonic() - start)


def enqueue(requests: int) -> None:
    """Request credit through so many pathways."""
    program = factories.ProgramFactory()
    pathways = factories.PathwayFactory.create_batch(requests, programs=[program])
    request_credit(user=factories.UserFactory(), program=program, pathways=pathways)


def _sent() -> int:
    return UserCreditPathway.objects.filter(status="sent").count()


def requests_per_second(server: Web, requests: int) -> tuple[float, float]:
    """Send requests from all clients at once; return also the median response time in milliseconds."""
    program = factories.ProgramFactory()
    pathway = factories.PathwayFactory(programs=[program])
    sessions = [session_of(user) for user in factories.UserFactory.create_batch(CLIENTS)]
    path = f"/records/programs/{program.uuid}/send"

    def send(number: int) -> Any:
        username, session = sessions[number % CLIENTS]
        return timed(server.post, path, session, {"username": username, "pathway_id": pathway.pk})

    with server, ThreadPoolExecutor(CLIENTS) as clients:
        start = time.monotonic()
        responses = list(clients.map(send, range(requests)))
        rate = requests / (time.monotonic() - start)
    assert {status for status, _seconds in responses} == {202}
    return rate, 1000 * statistics.median(seconds for _status, seconds in responses)


def print_capacity(requests: int, log: Path) -> None:
    """Measure, and print a line for each size of worker and gunicorn."""
    with smtp.relay() as (relay, port):
        context = environment(port)
        for processes, delay in WORKERS:
            relay.delay = delay
            worker = Process(*worker_command(context["TEST_QUEUE"], processes), log=log, environment=context)
            rate = emails_per_second(worker, processes, requests)
            print(
                f"worker: {processes:2} processes, mail server {delay * 1000:3.0f} ms: {rate:5.1f} emails/s", flush=True
            )
        for workers in (1, 2):
            rate, median = requests_per_second(Web(log, context, workers, 4), requests)
            print(
                f"gunicorn: {workers} workers of 4 threads: {rate:5.1f} requests/s, median {median:.0f} ms", flush=True
            )


def main() -> None:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", default="redis://127.0.0.1:6379/0")
    parser.add_argument("--requests", type=int, default=1000, help="for each line of the result")
    options = parser.parse_args()
    if "TEST_DATABASE_URL" not in os.environ:
        parser.error("set TEST_DATABASE_URL to PostgreSQL or MariaDB")
    with test_database(), queue(options.broker), tempfile.TemporaryDirectory() as folder:
        print_capacity(options.requests, Path(folder) / "log")


if __name__ == "__main__":
    main()
