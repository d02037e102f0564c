"""
Processes killed with SIGKILL at each step of a delivery.

The environment variable ``KILLS`` is the number of kills at each step, for each scope and each broker.
"""

import os
import time
from http.client import HTTPException

import pytest

from credit_pathways import api
from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support.outcomes import assert_nothing_lost, deliver_pending
from tests.support.threads import wait_until

KILLS = int(os.environ.get("KILLS", "1"))

WORKER_STEPS = ["received", "started", "locked", "connected", "accepted", "written", "retried", "acknowledging"]
QUEUEING_STEPS = ["inserted", "committed", "queued", "responded"]
INLINE_STEPS = ["inserted", "committed", "started", "locked", "connected", "accepted", "written", "responded"]


def finished():
    """Whether no request is pending."""
    return not UserCreditPathway.objects.filter(status="pending").exists()


@pytest.mark.timeout(60 + 20 * KILLS)
@pytest.mark.parametrize("scope", ["group", "process"])
@pytest.mark.parametrize("step", WORKER_STEPS)
def test_a_killed_worker(step, scope, broker, is_drained, worker, environment, learner, program, relay, tmp_path):
    """The worker is killed once per request: its child process only, or the whole group."""
    if step == "retried":
        relay.greylist(1)
    pathways = factories.PathwayFactory.create_batch(KILLS, programs=[program])
    with worker(KILL_AT=step, KILL_SCOPE=scope):
        api.request_credit(user=learner, program=program, pathways=pathways)
        wait_until(lambda: finished() and len(list(tmp_path.iterdir())) == KILLS, 30 + 15 * KILLS)
        # The broker redelivers what a killed worker did not acknowledge, and that must have no effect.
        wait_until(is_drained)
        # While Redis restores a message, it is in neither of its two places. RabbitMQ delivers it now.
        time.sleep(0.5)
        wait_until(is_drained)
    rows = assert_nothing_lost(relay, duplicates=1)
    assert list(rows.values()) == ["sent"] * KILLS
    is_duplicated = step in {"accepted", "written"}
    assert len(relay.messages) == KILLS * (2 if is_duplicated else 1)


def kill_web(server, step, session, program, pathway, marks):
    """Request credit ``KILLS`` times. The process that handles the request is killed each time."""
    body = {"username": "halima", "pathway_id": pathway.pk}
    with server(KILL_AT=step, KILL_SCOPE="process") as process:
        for number in range(KILLS):
            wait_until(process.is_up) if number else None
            try:
                process.post(f"/records/programs/{program.uuid}/send", session, body)
            except (OSError, HTTPException):
                assert step != "responded"
            wait_until(lambda number=number: len(list(marks.iterdir())) == number + 1)


@pytest.fixture
def session(client):
    """The session key of the learner."""
    return client.cookies["sessionid"].value


@pytest.mark.parametrize("step", QUEUEING_STEPS)
def test_a_web_process_killed_while_queueing(step, broker, web, worker, session, program, pathway, relay, tmp_path):
    kill_web(web, step, session, program, pathway, tmp_path)
    with worker():
        queued = KILLS if step in {"queued", "responded"} else 0
        wait_until(lambda: UserCreditPathway.objects.filter(status="sent").count() == queued)
    assert deliver_pending() == (KILLS if step == "committed" else 0)
    rows = assert_nothing_lost(relay, duplicates=0)
    assert list(rows.values()) == ["sent"] * (0 if step == "inserted" else KILLS)


@pytest.mark.parametrize("step", INLINE_STEPS)
def test_a_web_process_killed_while_sending(step, web, session, program, pathway, relay, tmp_path):
    kill_web(web, step, session, program, pathway, tmp_path)
    assert deliver_pending() == (0 if step in {"inserted", "responded"} else KILLS)
    rows = assert_nothing_lost(relay, duplicates=1)
    assert list(rows.values()) == ["sent"] * (0 if step == "inserted" else KILLS)
    assert len(relay.messages) == len(rows) * (2 if step in {"accepted", "written"} else 1)
