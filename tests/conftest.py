"""What many tests need: a learner with a program and pathways, a mail server, edx-ace as configured just now."""

import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import edx_ace.channel
import edx_ace.policy
import pytest
from django.core.cache import cache
from django.test import Client
from kombu.transport.memory import Channel

from tests import factories
from tests.support import smtp
from tests.support.celery_app import app as celery_app

celery_app.set_default()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests reach this machine, and the services that the environment names; no other host."""
    urls = [value for name, value in os.environ.items() if name.startswith("TEST_") and name.endswith("_URL")]
    hosts = {"127.0.0.1", *(host for url in urls if (host := urlsplit(url).hostname))}
    for item in items:
        item.add_marker(pytest.mark.allow_hosts(sorted(hosts)))


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """The flood guard counts from nothing."""
    cache.clear()


@pytest.fixture(autouse=True)
def _empty_broker() -> None:
    """No task of an earlier test waits in the broker, which is this process's memory."""
    for queue in Channel.queues.values():
        queue.queue.clear()


@pytest.fixture
def learner(db):
    """A learner with a full name and an address."""
    return factories.UserFactory(username="halima", first_name="Halima", last_name="Khan", email="halima@home.example")


@pytest.fixture
def program(db):
    """A program that the learner has a record in."""
    return factories.ProgramFactory(title="Statistics")


@pytest.fixture
def pathway(program):
    """A pathway that is requestable for the program."""
    return factories.PathwayFactory(
        name="Master of Science",
        org_name="Northfield University",
        email="registrar@northfield.example",
        programs=[program],
    )


@pytest.fixture
def client(client: Client, learner) -> Client:
    """A browser in which the learner is logged in."""
    client.force_login(learner)
    return client


@pytest.fixture
def relay(settings: Any) -> Iterator[smtp.Relay]:
    """A real mail server, which the settings name."""
    with smtp.relay() as (handler, port):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 5
        yield handler


@pytest.fixture
def ace_plugins(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """
    Return a function that gives edx-ace these channels or policies instead of the ones it has found.

    edx-ace looks for its plug-ins once in a process, and keeps what it found at the functions named here.
    """

    def put(*, channels: Any = None, policies: Any = None) -> None:
        found = {edx_ace.channel.channels: channels, edx_ace.policy.policies: policies}
        for function, plugins in found.items():
            if plugins is not None:
                function()
                monkeypatch.setattr(function.__wrapped__, "__once_result", plugins)

    return put
