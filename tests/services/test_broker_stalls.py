"""A broker that stops answering at any point of the conversation."""

import time

import pytest

from credit_pathways import api
from credit_pathways.delivery import broker as broker_module
from credit_pathways.models import UserCreditPathway
from tests.services.conftest import BROKERS
from tests.support.celery_app import app
from tests.support.proxy import Proxy

#: Bytes that the broker gets before it falls silent. A request takes some 600 to 1,800 of them.
POINTS = [0, 250, 400, 550, 850, 1200, 1700, 2500]


@pytest.fixture(params=sorted(BROKERS))
def through_a_proxy(request, settings, monkeypatch):
    """Give a proxy to each broker in turn."""
    settings.CREDIT_PATHWAYS_DELIVERY = "celery"
    settings.CREDIT_PATHWAYS_CELERY_QUEUE = "test-stalls"
    monkeypatch.setattr(broker_module, "PATIENCE", 0.3)
    with Proxy(BROKERS[request.param]) as proxy:
        settings.CELERY_BROKER_URL = proxy.url
        yield proxy
    settings.CELERY_BROKER_URL = BROKERS[request.param]
    with app.connection_for_write() as connection, connection.SimpleQueue("test-stalls") as queue:
        queue.queue.delete()


@pytest.mark.parametrize("warm", [False, True], ids=["first request", "later request"])
@pytest.mark.parametrize("point", POINTS)
def test_the_learner_waits_a_bounded_time(point, warm, through_a_proxy, learner, program, pathway):
    if warm:
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        assert request.status == "pending"
    through_a_proxy.stall_after = through_a_proxy.forwarded + point
    began = time.monotonic()
    [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
    assert time.monotonic() - began < 6  # PATIENCE is 0.3 here, and there are three steps
    assert UserCreditPathway.objects.get(pk=request.pk).status == request.status
    stalled = through_a_proxy.forwarded > through_a_proxy.stall_after
    assert request.status == ("failed" if stalled else "pending")
    assert stalled or point > POINTS[0]


def test_a_broker_that_was_restarted_takes_the_next_request(through_a_proxy, learner, program, pathway):
    statuses = []
    for _time in range(3):
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        statuses.append(request.status)
        through_a_proxy.cut()
        through_a_proxy.mend()
    assert statuses == ["pending"] * 3


def test_a_list_of_brokers_is_worth_having(through_a_proxy, settings, learner, program, pathway):
    """The first is silent, and the second takes the request."""
    through_a_proxy.stall_after = 0
    second = next(url for url in BROKERS.values() if url[:4] == through_a_proxy.url[:4])
    settings.CELERY_BROKER_URL = [through_a_proxy.url, second]
    [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
    assert request.status == "pending"
