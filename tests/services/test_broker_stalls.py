"""A broker that stops responding at any point of the conversation."""

import time
import uuid

import pytest

from credit_pathways import api
from credit_pathways.delivery import broker as broker_module
from credit_pathways.models import UserCreditPathway
from tests.services.conftest import BROKERS
from tests.support.celery_app import app
from tests.support.proxy import Proxy

#: Bytes that reach the broker before it stops responding. A request needs about 600 to 1,800.
BYTES_BEFORE_STALL = [0, 250, 400, 550, 850, 1200, 1700, 2500]


@pytest.fixture(params=sorted(BROKERS))
def proxy(request, settings, monkeypatch):
    """A proxy in front of each broker in turn."""
    settings.CREDIT_PATHWAYS_DELIVERY = "celery"
    settings.CREDIT_PATHWAYS_CELERY_QUEUE = name = f"test-{uuid.uuid4()}"
    monkeypatch.setattr(broker_module, "BROKER_TIMEOUT", 0.3)
    with Proxy(BROKERS[request.param]) as started:
        settings.CELERY_BROKER_URL = started.url
        yield started
    settings.CELERY_BROKER_URL = BROKERS[request.param]
    with app.connection_for_write() as connection, connection.SimpleQueue(name) as queue:
        queue.queue.delete()


@pytest.mark.parametrize("is_later", [False, True], ids=["first request", "later request"])
@pytest.mark.parametrize("size", BYTES_BEFORE_STALL)
def test_the_learner_waits_a_bounded_time(size, is_later, proxy, learner, program, pathway):
    if is_later:
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        assert request.status == "pending"
    proxy.stall_after = proxy.forwarded + size
    began = time.monotonic()
    [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
    assert time.monotonic() - began < 6  # three steps of BROKER_TIMEOUT, which is 0.3 here
    assert UserCreditPathway.objects.get(pk=request.pk).status == request.status
    has_stalled = proxy.forwarded > proxy.stall_after
    assert request.status == ("failed" if has_stalled else "pending")
    assert has_stalled or size > BYTES_BEFORE_STALL[0]


def test_a_restarted_broker_accepts_the_next_request(proxy, learner, program, pathway):
    statuses = []
    for _time in range(3):
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        statuses.append(request.status)
        proxy.cut()
        proxy.restore()
    assert statuses == ["pending"] * 3


def test_the_second_broker_of_a_list_accepts_the_request_if_the_first_stalls(
    proxy, settings, learner, program, pathway
):
    proxy.stall_after = 0
    second = next(url for url in BROKERS.values() if url[:4] == proxy.url[:4])
    settings.CELERY_BROKER_URL = [proxy.url, second]
    [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
    assert request.status == "pending"
