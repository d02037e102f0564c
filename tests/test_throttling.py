"""The flood guard without its cache (case 1). What it counts is tested in test_rest_api.py and test_views.py."""

import re
import socket
from contextlib import suppress

import pytest
from django.contrib.messages import get_messages
from django.core.cache import cache
from django.core.cache.backends.redis import RedisCache
from django.db import connections
from django.urls import reverse
from redis import RedisError

from credit_pathways.models import ProgramCertRecord, UserCreditPathway
from credit_pathways.throttling import RequestRateThrottle
from tests import factories
from tests.support.smtp import free_port

pytestmark = pytest.mark.django_db(transaction=True)

#: What is wrong with the cache, and the class of its error.
FAULTS = {
    "refuses": "ConnectionError",
    "hangs": "TimeoutError",
    "has no table": "OperationalError|ProgrammingError",
    "cannot be read": "NotADirectoryError",
    "cannot be written": "FileExistsError",
    "holds another's string": "TypeError",
    "holds another's number": "TypeError",
    "holds None": "TypeError",
}

#: Values under the flood guard's own key.
VALUES = {"holds another's string": "theirs", "holds another's number": 5, "holds None": None}


class SilentlyFailingCache(RedisCache):
    """Like django-redis with ``IGNORE_EXCEPTIONS``."""

    def get(self, key, default=None, version=None):
        with suppress(RedisError):
            return super().get(key, default, version)
        return default

    def set(self, *args, **kwargs):
        with suppress(RedisError):
            super().set(*args, **kwargs)


@pytest.fixture
def silent():
    """A listening socket that never answers. Its backlog keeps the connections."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        server.setblocking(False)
        yield server


def connection_count(server):
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


@pytest.fixture
def break_cache(settings, silent, learner, tmp_path, working_cache):
    """Return a function that makes the cache unavailable in one way."""
    folder = tmp_path / "cache"
    backends = {
        "refuses": ("redis.RedisCache", f"redis://127.0.0.1:{free_port()}/0"),
        "hangs": ("redis.RedisCache", f"redis://127.0.0.1:{silent.getsockname()[1]}/0?socket_timeout=0.2"),
        "has no table": ("db.DatabaseCache", "no_table"),
        "cannot be read": ("filebased.FileBasedCache", str(folder)),
        "cannot be written": ("filebased.FileBasedCache", str(folder)),
    }

    def break_it(fault):
        if fault in VALUES:
            cache.set(f"throttle_credit_pathways_{learner.pk}", VALUES[fault])
            return
        backend, location = backends[fault]
        settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": location}}
        if location == str(folder):
            str(cache.key_prefix)  # creates it
            folder.rmdir()
            folder.touch() if fault == "cannot be read" else folder.symlink_to(tmp_path / "nowhere")

    return break_it


def post(client, name, program, **body):
    url = reverse(f"credit_pathways:{name}", args=[program.uuid])
    if name in {"send", "share"}:
        return client.post(url, {"username": "halima", **body}, content_type="application/json")
    return client.post(url, body)


@pytest.fixture
def warnings(caplog):
    """Return a function that returns the flood guard's log messages."""

    def warnings():
        records = [each for each in caplog.get_records("call") if each.name == "credit_pathways.throttling"]
        assert {(each.levelname, each.exc_info) for each in records} <= {("WARNING", None)}
        return [each.getMessage() for each in records]

    return warnings


@pytest.mark.parametrize("fault", FAULTS)
class TestUnavailable:
    @pytest.fixture(autouse=True)
    def _broken(self, fault, break_cache, monkeypatch):
        # On PostgreSQL, a failed query of the cache's would break a transaction of the request's.
        monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)
        break_cache(fault)

    @pytest.fixture(autouse=True)
    def _one_warning(self, _broken, fault, warnings):
        """Each test is one HTTP request. The whole message is compared, so it contains no personal data."""
        yield
        [message] = warnings()
        assert re.fullmatch(f"flood guard: the cache is unavailable: ({FAULTS[fault]})", message)

    def test_send(self, client, program, pathway, relay):
        answer = post(client, "send", program, pathway_id=pathway.pk)
        assert (answer.status_code, answer.json()["status"], len(relay.messages)) == (200, "sent", 1)

    def test_request_credit_through_three_pathways(self, client, program, pathway, relay):
        others = [factories.PathwayFactory(programs=[program]) for _number in range(2)]
        answer = post(client, "request_credit", program, pathway=[each.pk for each in [pathway, *others]])
        assert [message.level_tag for message in get_messages(answer.wsgi_request)] == ["success"] * 3
        assert (UserCreditPathway.objects.filter(status="sent").count(), len(relay.messages)) == (3, 3)

    def test_share(self, client, program):
        assert post(client, "share", program).status_code == 201

    def test_share_link(self, client, program):
        answer = post(client, "share_link", program)
        assert [message.level_tag for message in get_messages(answer.wsgi_request)] == ["success"]
        assert ProgramCertRecord.objects.count() == 1


def test_a_cache_that_hangs_is_asked_once_per_request(client, program, pathway, relay, break_cache, silent, warnings):
    break_cache("hangs")
    others = [factories.PathwayFactory(programs=[program]) for _number in range(2)]
    for number in (1, 2):
        post(client, "request_credit", program, pathway=[each.pk for each in [pathway, *others]])
        assert (connection_count(silent), len(warnings()), len(relay.messages)) == (1, number, 3 * number)


def test_a_cache_that_hangs_without_an_error_is_asked_once(
    client, program, pathway, relay, settings, silent, monkeypatch
):
    location = f"redis://127.0.0.1:{silent.getsockname()[1]}/0?socket_timeout=0.2"
    settings.CACHES = {"default": {"BACKEND": "tests.test_throttling.SilentlyFailingCache", "LOCATION": location}}
    monkeypatch.setattr(RequestRateThrottle, "seconds_left", 0.3)
    others = [factories.PathwayFactory(programs=[program]) for _number in range(2)]
    post(client, "request_credit", program, pathway=[each.pk for each in [pathway, *others]])
    assert (connection_count(silent), len(relay.messages)) == (2, 3)  # to read and to write


def test_it_counts_again_when_the_cache_is_back(client, program, settings, break_cache, working_cache):
    settings.CREDIT_PATHWAYS_REQUEST_RATE = "1/minute"
    working = settings.CACHES
    break_cache("refuses")
    assert [post(client, "share", program).status_code for _time in range(2)] == [201, 200]
    settings.CACHES = working
    assert [post(client, "share", program).status_code for _time in range(2)] == [200, 429]


def test_without_a_limit_the_cache_is_not_asked(client, program, settings, break_cache, silent, warnings):
    settings.CREDIT_PATHWAYS_REQUEST_RATE = None
    break_cache("hangs")
    assert post(client, "share", program).status_code == 201
    assert (connection_count(silent), warnings()) == (0, [])


def test_an_invalid_rate_is_an_error_all_the_same(settings):
    settings.CREDIT_PATHWAYS_REQUEST_RATE = "often"
    with pytest.raises(ValueError, match="not enough values"):
        RequestRateThrottle()


def test_seconds_to_wait(rf, learner, settings, working_cache):
    settings.CREDIT_PATHWAYS_REQUEST_RATE = "2/minute"
    request, throttle = rf.post("/"), RequestRateThrottle()
    request.user = learner
    waits = [throttle.seconds_to_wait(request) for _time in range(3)]
    assert waits[:2] == [0, 0]
    assert 50 <= waits[2] <= 60
