"""Fixtures for all tests: a learner with a program and a pathway, an SMTP server, and edx-ace's plug-ins."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import edx_ace.channel
import edx_ace.policy
import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.core.management.commands import flush
from django.test import Client
from kombu.transport.memory import Channel

from credit_pathways.database import connection
from tests import factories
from tests.support import database, privacy, smtp
from tests.support.celery_app import app as celery_app
from tests.support.failures import Failure

celery_app.set_default()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run folders in parallel, but not a single file, because starting the processes takes longer than most files."""
    return min(4, os.cpu_count() or 1) if all(Path(argument).is_dir() for argument in config.args) else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests connect to this machine and to the services named in the environment, and to no other host."""
    urls = [value for name, value in os.environ.items() if name.startswith("TEST_") and name.endswith("_URL")]
    hosts = {"127.0.0.1", *(host for url in urls if (host := urlsplit(url).hostname))}
    for item in items:
        item.add_marker(pytest.mark.allow_hosts(sorted(hosts)))


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> Iterator[None]:
    """Flush the database after transactional tests with ``database.flush``, which is ten times faster than Django's."""
    with mock.patch.object(flush.Command, "handle", database.flush):
        yield


@pytest.fixture(autouse=True)
def seen_by_operators() -> Iterator[list[str]]:
    """Log lines, emails to ADMINS, and published messages. A test that puts personal data there fails (promise 9)."""
    with privacy.watched() as texts:
        yield texts
    assert not privacy.leaks(texts)


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """The flood guard counts in the cache, unless it is unavailable (``tests.unusual``)."""
    with suppress(ConnectionError):
        cache.clear()


@pytest.fixture
def working_cache(settings: Any) -> None:
    """Let the flood guard count, whatever the host's cache."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "working"}}
    cache.clear()


@pytest.fixture(autouse=True)
def _empty_broker() -> None:
    """The broker is in this process's memory, and keeps tasks of earlier tests."""
    for queue in Channel.queues.values():
        queue.queue.clear()


@pytest.fixture
def learner(db):
    return factories.UserFactory(username="halima", first_name="Halima", last_name="Khan", email="halima@home.example")


@pytest.fixture
def program(db):
    """A program in which the learner has a record."""
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
def request_row(learner, program, pathway):
    """A pending credit request for a shared record."""
    factories.ProgramCertRecordFactory(user=learner, program=program)
    return factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway)


@pytest.fixture
def client(client: Client, learner) -> Client:
    """A browser in which the learner is logged in."""
    client.force_login(learner)
    return client


@pytest.fixture
def log_in_staff(client: Client) -> Callable[..., Client]:
    """Return a function that logs in a member of staff with these of the app's permissions, and returns ``client``."""

    def log_in(*codenames: str) -> Client:
        user = factories.UserFactory(is_staff=True)
        permissions = Permission.objects.filter(content_type__app_label="credit_pathways", codename__in=codenames)
        user.user_permissions.set(permissions)
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def staff(log_in_staff: Callable[..., Client]) -> Client:
    """A browser in which a member of staff is logged in who may view credit requests, and do nothing else."""
    return log_in_staff("view_usercreditpathway")


@pytest.fixture
def relay(settings: Any) -> Iterator[smtp.Relay]:
    """A local SMTP server, to which the settings point."""
    with smtp.relay() as (handler, port):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 5
        yield handler


@pytest.fixture
def no_learner_emails(settings: Any) -> None:
    """Let the relay get emails to institutions only."""
    settings.CREDIT_PATHWAYS_LEARNER_EMAILS = "none"


@pytest.fixture(params=[False, True], ids=["autocommit", "ATOMIC_REQUESTS"])
def atomic_requests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test twice: without and with a transaction around each web request."""
    monkeypatch.setitem(connection().settings_dict, "ATOMIC_REQUESTS", request.param)


@pytest.fixture
def ace_plugins(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """
    Return a function that replaces edx-ace's channels or policies.

    edx-ace loads its plug-ins once per process and stores them as an attribute of the functions below.
    """

    def replace(*, channels: Any = None, policies: Any = None) -> None:
        replacements = {edx_ace.channel.channels: channels, edx_ace.policy.policies: policies}
        for function, plugins in replacements.items():
            if plugins is not None:
                function()
                monkeypatch.setattr(function.__wrapped__, "__once_result", plugins)

    return replace


@pytest.fixture
def failure(settings: Any, relay: smtp.Relay, ace_plugins: Callable[..., None]) -> Failure:
    """Every way in which an email can fail to be sent."""
    return Failure(settings, relay, ace_plugins)
