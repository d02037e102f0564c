"""
How many mails a worker sends, and how many requests gunicorn takes, in a second.

Run it with the environment of ``make test-all``::

    TEST_DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres .venv/bin/python -m benchmarks.capacity \
        --broker amqp://guest:guest@127.0.0.1:5672//

Relay, clients, database, broker, workers and gunicorn share the machine.
"""

import argparse
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import setup_databases, teardown_databases  # noqa: E402

from credit_pathways.delivery import broker  # noqa: E402
from credit_pathways.models import UserCreditPathway  # noqa: E402
from tests import factories  # noqa: E402
from tests.support import smtp  # noqa: E402
from tests.support.celery_app import app  # noqa: E402
from tests.support.load import session_of, timed  # noqa: E402
from tests.support.processes import Process, Web, wait_until, worker_command  # noqa: E402


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", default="redis://127.0.0.1:6379/0")
    parser.add_argument("--requests", type=int, default=1000)
    return parser.parse_args()


@contextmanager
def database() -> Iterator[None]:
    """Make the tests' database, and remove it."""
    old = setup_databases(verbosity=0, interactive=False)
    try:
        yield
    finally:
        connection.close()
        teardown_databases(old, verbosity=0)


def environment(broker: str, port: int) -> dict[str, str]:
    """Return what the processes have to know."""
    address = os.environ["TEST_DATABASE_URL"].rsplit("/", 1)[0]
    settings.CREDIT_PATHWAYS_CELERY_QUEUE = f"test-{uuid.uuid4()}"
    settings.CELERY_BROKER_URL = broker
    app.set_default()
    return {
        "DJANGO_SETTINGS_MODULE": "tests.services.settings",
        "TEST_DATABASE_URL": f"{address}/{connection.settings_dict['NAME']}",
        "TEST_RELAY_PORT": str(port),
        "TEST_BROKER_URL": broker,
        "TEST_QUEUE": settings.CREDIT_PATHWAYS_CELERY_QUEUE,
        "TEST_DELIVERY": "celery",
    }


def sent() -> int:
    """Return how many requests are sent."""
    return UserCreditPathway.objects.filter(status="sent").count()


def create(requests: int) -> list[UserCreditPathway]:
    """Make so many pending requests, and no others."""
    UserCreditPathway.objects.all().delete()
    user, pathway = factories.UserFactory(), factories.PathwayFactory()
    shared = factories.ProgramCertRecordFactory(user=user)
    rows = [UserCreditPathway(user=user, pathway=pathway, program=shared.program) for _number in range(requests)]
    UserCreditPathway.objects.bulk_create(rows)
    return list(UserCreditPathway.objects.all())


def rate(workers: AbstractContextManager[Any], requests: int, processes: int) -> float:
    """Start the workers; return how many of the requests they send in a second, once each has sent one."""
    with workers:
        wait_until(lambda: sent() >= processes, 60)
        began, first = time.monotonic(), sent()
        wait_until(lambda: sent() == requests, 3600)
        return (requests - first) / (time.monotonic() - began)


def measure_worker(context: dict[str, str], log: Path, requests: int, processes: int) -> float:
    """Queue the requests, then start a worker; return how many it sends in a second."""
    broker.enqueue(create(requests))
    return rate(
        Process(*worker_command(context["TEST_QUEUE"], processes), log=log, environment=context), requests, processes
    )


def measure_web(context: dict[str, str], log: Path, requests: int, workers: int) -> tuple[float, float]:
    """Ask gunicorn for credit from 32 clients; return the requests in a second and the median in milliseconds."""
    program = factories.ProgramFactory()
    pathway = factories.PathwayFactory(programs=[program])
    sessions = [session_of(user) for user in factories.UserFactory.create_batch(32)]
    path = f"/records/programs/{program.uuid}/send"

    def ask(number: int) -> Any:
        username, key = sessions[number % 32]
        return timed(server.post, path, key, {"username": username, "pathway_id": pathway.pk})

    with Web(log, context, workers, 4) as server, ThreadPoolExecutor(32) as clients:
        began = time.monotonic()
        answers = list(clients.map(ask, range(requests)))
        rate = requests / (time.monotonic() - began)
    assert {status for status, _seconds in answers} == {202}
    return rate, 1000 * statistics.median(seconds for _status, seconds in answers)


def main() -> None:
    """Print one line for each measurement."""
    options = arguments()
    with database(), smtp.relay() as (relay, port), tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        context = environment(options.broker, port)
        for delay, processes in [(0, 1), (0, 2), (0.05, 4), (0.25, 4), (0.25, 16)]:
            relay.delay = delay
            rate = measure_worker(context, log, options.requests, processes)
            print(f"worker: {processes:3} processes, relay {delay * 1000:3.0f} ms: {rate:6.1f} mails/s", flush=True)
        for workers in (1, 2):
            rate, median = measure_web(context, log, options.requests, workers)
            print(
                f"gunicorn: {workers} workers of 4 threads: {rate:6.1f} requests/s, median {median:.0f} ms", flush=True
            )


if __name__ == "__main__":
    main()
