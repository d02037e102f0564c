"""
Processes killed with SIGKILL at each step of a delivery.

The environment variable ``KILLS`` is the number of kills at each step, for each scope and each broker.
"""

import os
import re
import time
from collections import Counter
from http.client import HTTPException
from io import StringIO

import pytest
from django.core.management import call_command

from credit_pathways import api
from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support.processes import wait_until

KILLS = int(os.environ.get("KILLS", "1"))

WORKER_STEPS = ["received", "locked", "connected", "accepted", "written", "retried", "acknowledging"]
QUEUEING_STEPS = ["inserted", "committed", "queued", "responded"]
INLINE_STEPS = ["inserted", "committed", "locked", "connected", "accepted", "written", "responded"]


def finished():
    """Whether no request is pending."""
    return not UserCreditPathway.objects.filter(status="pending").exists()


def assert_nothing_lost(relay, *, duplicates):
    """Check that no row is pending, emails have rows, sent rows have emails, and duplicates share a Message-ID."""
    rows = dict(UserCreditPathway.objects.values_list("pk", "status"))
    assert set(rows.values()) <= {"sent", "failed"}
    message_ids = Counter(message["Message-ID"] for message in relay.messages)
    emailed = [int(re.match(r"<credit-request\.(\d+)\.", message_id)[1]) for message_id in message_ids]
    assert len(emailed) == len(set(emailed)), "two Message-IDs of one row"
    assert set(emailed) <= set(rows), "an email without a row"
    assert {pk for pk, status in rows.items() if status == "sent"} <= set(emailed), "recorded as sent, but not sent"
    assert max(message_ids.values(), default=0) <= 1 + duplicates
    return rows


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
        time.sleep(0 if broker.startswith("redis") else 0.5)
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


def deliver_pending():
    """Deliver what killed processes left, like an operator, and return the number of requests."""
    out = StringIO()
    call_command("deliver_pending", older_than=0, stdout=out)
    return int(re.search(r"^(\d+) requests?:", out.getvalue(), re.MULTILINE)[1])


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
