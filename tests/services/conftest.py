"""The brokers, and the workers and web servers that use them."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection

from tests.support import privacy
from tests.support.celery_app import app
from tests.support.processes import Process, Web, worker_command


def redis_url() -> str:
    """Return a Redis database for this xdist worker, because unacknowledged messages of all queues share a key."""
    url = urlsplit(os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0"))
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return url._replace(path=f"/{int(url.path.strip('/') or 0) + int(worker)}").geturl()


BROKERS = {
    "redis": redis_url(),
    "rabbitmq": os.environ.get("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.services)
            item.add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture(params=sorted(BROKERS))
def broker(request: pytest.FixtureRequest, settings: Any) -> Iterator[str]:
    """The URL of each broker in turn, with a queue for this test only."""
    url = BROKERS[request.param]
    settings.CREDIT_PATHWAYS_DELIVERY = "celery"
    settings.CREDIT_PATHWAYS_CELERY_QUEUE = f"test-{uuid.uuid4()}"
    settings.CELERY_BROKER_URL = url
    yield url
    with app.connection_for_write() as connection:
        connection.default_channel.queue_delete(settings.CREDIT_PATHWAYS_CELERY_QUEUE)
        connection.default_channel.exchange_delete(settings.CREDIT_PATHWAYS_CELERY_QUEUE)


@pytest.fixture
def is_drained(broker: str, settings: Any) -> Callable[[], bool]:
    """Return a function: whether workers have received all messages, and, on Redis, acknowledged them."""

    def is_drained() -> bool:
        with app.connection_for_read() as connection:
            channel, queue = connection.default_channel, settings.CREDIT_PATHWAYS_CELERY_QUEUE
            if broker.startswith("redis"):
                return not channel.client.llen(queue) and not channel.client.hlen(channel.unacked_key)
            declared = channel.queue_declare(queue, passive=True)
            return not declared.message_count and declared.consumer_count > 0

    return is_drained


@pytest.fixture
def environment(relay: Any, settings: Any, tmp_path: Path) -> dict[str, str]:
    """Environment variables with which a process uses the database, the broker and the SMTP server of the test."""
    address = os.environ["TEST_DATABASE_URL"].rsplit("/", 1)[0]
    return {
        "DJANGO_SETTINGS_MODULE": "tests.services.settings",
        "TEST_DATABASE_URL": f"{address}/{connection.settings_dict['NAME']}",
        "TEST_RELAY_PORT": str(settings.EMAIL_PORT),
        "TEST_BROKER_URL": settings.CELERY_BROKER_URL,
        "TEST_QUEUE": getattr(settings, "CREDIT_PATHWAYS_CELERY_QUEUE", ""),
        "TEST_DELIVERY": getattr(settings, "CREDIT_PATHWAYS_DELIVERY", "inline"),
        "KILL_MARKS": str(tmp_path),
    }


@pytest.fixture
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the output of processes. A test that puts personal data there fails (promise 9)."""
    folder = tmp_path_factory.mktemp("logs")
    yield folder
    assert not privacy.leaks(path.read_text(encoding="utf-8", errors="replace") for path in folder.iterdir())


@pytest.fixture
def worker(broker: str, environment: dict[str, str], logs: Path) -> Callable[..., Process]:
    """Return a function that prepares a worker with additional environment variables."""

    def prepare(concurrency: int = 1, **more: str) -> Process:
        command = worker_command(environment["TEST_QUEUE"], concurrency)
        return Process(*command, log=logs / "worker", environment={**environment, **more})

    return prepare


@pytest.fixture
def web(environment: dict[str, str], logs: Path) -> Callable[..., Web]:
    """Return a function that prepares a web server with additional environment variables."""

    def prepare(workers: int = 1, threads: int = 1, **more: str) -> Web:
        return Web(logs / "web", {**environment, **more}, workers, threads)

    return prepare
