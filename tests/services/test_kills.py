"""
Processes killed with SIGKILL at each step of a delivery.

``KILLS`` in the environment says how many kills there are at each step, for each way of killing and each broker.
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
QUEUEING_STEPS = ["inserted", "committed", "queued", "answered"]
INLINE_STEPS = ["inserted", "committed", "locked", "connected", "accepted", "written", "answered"]


def finished():
    """Whether no request is pending."""
    return not UserCreditPathway.objects.filter(status="pending").exists()


def assert_nothing_lost(relay, *, duplicates):
    """Every row has ended, every mail has a row, what is called sent has a mail, and duplicates look the same."""
    rows = dict(UserCreditPathway.objects.values_list("pk", "status"))
    assert set(rows.values()) <= {"sent", "failed"}
    message_ids = Counter(mail["Message-ID"] for mail in relay.mails)
    mailed = [int(re.match(r"<credit-request\.(\d+)\.", message_id)[1]) for message_id in message_ids]
    assert len(mailed) == len(set(mailed)), "two Message-IDs of one row"
    assert set(mailed) <= set(rows), "a mail without its row"
    assert {pk for pk, status in rows.items() if status == "sent"} <= set(mailed), "called sent, and was not"
    assert max(message_ids.values(), default=0) <= 1 + duplicates
    return rows


@pytest.mark.timeout(60 + 20 * KILLS)
@pytest.mark.parametrize("scope", ["group", "process"])
@pytest.mark.parametrize("step", WORKER_STEPS)
def test_a_worker_killed(step, scope, broker, worker, environment, learner, program, relay, tmp_path):
    """Each request's worker is killed once; killing the process leaves the worker's main process alive."""
    if step == "retried":
        relay.refuses_first(1)
    pathways = factories.PathwayFactory.create_batch(KILLS, programs=[program])
    with worker(KILL_AT=step, KILL_SCOPE=scope):
        api.request_credit(user=learner, program=program, pathways=pathways)
        wait_until(lambda: finished() and len(list(tmp_path.iterdir())) == KILLS, 30 + 15 * KILLS)
        # What the broker still has of the killed ones comes now, and must do nothing.
        time.sleep(4 if broker.startswith("redis") and scope == "group" else 0.5)
    rows = assert_nothing_lost(relay, duplicates=1)
    assert list(rows.values()) == ["sent"] * KILLS
    taken = step in {"accepted", "written"}
    assert len(relay.mails) == KILLS * (2 if taken else 1)


def kill_web(server, step, learner_session, program, pathway, relay, marks):
    """Ask for credit ``KILLS`` times; the process that answers is killed each time."""
    body = {"username": "halima", "pathway_id": pathway.pk}
    with server(KILL_AT=step, KILL_SCOPE="process") as process:
        for number in range(KILLS):
            wait_until(process.answers) if number else None
            try:
                process.post(f"/records/programs/{program.uuid}/send", learner_session, body)
            except (OSError, HTTPException):
                assert step != "answered"
            wait_until(lambda number=number: len(list(marks.iterdir())) == number + 1)


def deliver_pending():
    """Deliver what the killed ones left, as an operator does; return what the command says."""
    out = StringIO()
    call_command("deliver_pending", older_than=0, stdout=out)
    return out.getvalue()


@pytest.fixture
def session(client):
    """The session of the learner in a browser."""
    return client.cookies["sessionid"].value


@pytest.mark.parametrize("step", QUEUEING_STEPS)
def test_a_web_process_killed_while_it_queues(step, broker, web, worker, session, program, pathway, relay, tmp_path):
    kill_web(web, step, session, program, pathway, relay, tmp_path)
    with worker():
        queued = KILLS if step in {"queued", "answered"} else 0
        wait_until(lambda: UserCreditPathway.objects.filter(status="sent").count() == queued)
    assert f"{KILLS if step == 'committed' else 0} requests:" in deliver_pending()
    rows = assert_nothing_lost(relay, duplicates=0)
    assert list(rows.values()) == ["sent"] * (0 if step == "inserted" else KILLS)


@pytest.mark.parametrize("step", INLINE_STEPS)
def test_a_web_process_killed_while_it_sends(step, web, session, program, pathway, relay, tmp_path):
    kill_web(web, step, session, program, pathway, relay, tmp_path)
    pending = 0 if step in {"inserted", "answered"} else KILLS
    assert f"{pending} requests:" in deliver_pending()
    rows = assert_nothing_lost(relay, duplicates=1)
    assert list(rows.values()) == ["sent"] * (0 if step == "inserted" else KILLS)
    assert len(relay.mails) == len(rows) * (2 if step in {"accepted", "written"} else 1)
