"""Brokers deliver messages again: after a worker was lost, and Redis after its visibility timeout."""

import pytest

from credit_pathways import api
from credit_pathways.delivery import broker as credit_pathways_broker
from credit_pathways.delivery import sending
from credit_pathways.models import UserCreditPathway
from tests.support.threads import wait_until

INSTITUTION, LEARNER = "registrar@northfield.example", "halima@home.example"

ATTEMPTS = 4  # in tests.services.settings


def recorded():
    return UserCreditPathway.objects.values_list("status", "attempts", "failure_reason").get()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("source", "attempts"), [("KillingRecordSource", 4), ("HangingRecordSource", 2)])
def test_a_request_that_kills_its_worker_fails(
    source, attempts, worker, learner, program, pathway, relay, settings, monkeypatch
):
    """Each attempt is counted before it starts. The learner is told."""
    monkeypatch.setattr(credit_pathways_broker, "KILL_DELAY", 1)
    settings.CREDIT_PATHWAYS_CELERY_TIME_LIMIT = 2
    environment = {"TEST_RECORD_SOURCE": f"tests.support.record_source.{source}", "TEST_ATTEMPTS": str(attempts)}
    with worker(TEST_LEARNER_EMAILS="failures", TEST_TIME_LIMIT="2", **environment):
        api.request_credit(user=learner, program=program, pathways=[pathway])
        wait_until(lambda: recorded()[0] != "pending", 80)
        wait_until(lambda: len(relay.messages) == 1)
    assert recorded() == ("failed", attempts, sending.INTERRUPTED)
    assert [message["To"] for message in relay.messages] == [LEARNER]


@pytest.mark.timeout(150)
@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_pauses_longer_than_the_visibility_timeout(broker, is_drained, worker, learner, program, pathway, relay):
    """
    Redis delivers copies of the messages that wait, again and again, to several workers.

    They cause no more attempts: neither for the institution's email nor for the learner's.
    """
    relay.replies["RCPT"] = "451 try later"
    with worker(concurrency=2, TEST_LEARNER_EMAILS="failures", TEST_BACKOFF="5") as process:
        api.request_credit(user=learner, program=program, pathways=[pathway])
        wait_until(lambda: recorded()[0] == "failed", 50)
        assert relay.rcpt_count >= ATTEMPTS
        relay.rcpt_count = 0
        relay.replies.clear()
        wait_until(lambda: len(relay.messages) == 1, 50)
        wait_until(is_drained, 50)
    assert recorded()[1] == ATTEMPTS
    assert [message["To"] for message in relay.messages] == [LEARNER]
    assert "nothing to do" in process.output()
