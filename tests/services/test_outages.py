"""The database or the broker goes down in the middle of a run, and comes back."""

import time
from http.client import HTTPException

import pytest

from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support.load import session_of
from tests.support.outcomes import assert_nothing_lost, deliver_pending
from tests.support.proxy import Proxy
from tests.support.threads import wait_until

OUTAGE_SECONDS = 2
REQUESTS = 60


@pytest.mark.parametrize("service", ["TEST_DATABASE_URL", "TEST_BROKER_URL"])
def test_nothing_is_lost(service, broker, environment, web, worker, program, pathway, relay):
    username, session = session_of(factories.UserFactory())
    body = {"username": username, "pathway_id": pathway.pk}
    statuses = []

    def send(server):
        try:
            statuses.append(server.post(f"/records/programs/{program.uuid}/send", session, body))
        except (OSError, HTTPException):
            statuses.append(0)

    relay.on_data = lambda: time.sleep(0.02)
    with (
        Proxy(environment[service]) as proxy,
        web(threads=4, **{service: proxy.url}) as server,
        worker(concurrency=2, TEST_BACKOFF="1", **{service: proxy.url}),
    ):
        for number in range(REQUESTS):
            if number == REQUESTS // 3:
                proxy.cut()
            if number == 2 * REQUESTS // 3:
                time.sleep(OUTAGE_SECONDS)
                proxy.restore()
            send(server)
        # Requests that were committed but never queued are left for the operator.
        sent = UserCreditPathway.objects.filter(status="sent")
        wait_until(lambda: sent.count() >= statuses.count(202), 30)
    deliver_pending()
    rows = assert_nothing_lost(relay, duplicates=1)
    third = REQUESTS // 3
    assert set(statuses[:third]) == {202}
    assert 202 not in statuses[third + 4 : 2 * third]
    assert statuses[-1] == 202
    assert len(rows) >= statuses.count(202) + statuses.count(502)
    assert list(rows.values()).count("sent") >= statuses.count(202)
