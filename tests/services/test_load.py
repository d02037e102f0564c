"""
Many learners at once, through gunicorn and a worker.

``LEARNERS`` and ``REQUESTS`` (of each) in the environment say how many; ``pytest -s`` shows how long ``send`` took.
"""

import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from credit_pathways.models import ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support.load import session_of, timed
from tests.support.processes import wait_until

LEARNERS = int(os.environ.get("LEARNERS", "20"))
REQUESTS = int(os.environ.get("REQUESTS", "5"))


@pytest.mark.timeout(120 + LEARNERS * REQUESTS)
@pytest.mark.parametrize("delay", [0, 0.25], ids="relay takes {} s".format)
def test_none_is_lost(delay, broker, web, worker, program, pathway, relay, capsys):
    sessions = [session_of(user) for user in factories.UserFactory.create_batch(LEARNERS)]
    relay.delay = delay

    def ask(session):
        username, key = session
        body = {"username": username, "pathway_id": pathway.pk}
        return [timed(server.post, f"/records/programs/{program.uuid}/send", key, body) for _request in range(REQUESTS)]

    with web(workers=2, threads=8) as server, worker(concurrency=4), ThreadPoolExecutor(LEARNERS) as learners:
        began = time.monotonic()
        answers = [answer for answers in learners.map(ask, sessions) for answer in answers]
        answered = time.monotonic() - began
        sent = UserCreditPathway.objects.filter(status="sent")
        wait_until(lambda: sent.count() == len(answers), 60 + len(answers))
        ended = time.monotonic() - began
    assert {status for status, _seconds in answers} == {202}
    assert len(relay.mails) == UserCreditPathway.objects.count() == LEARNERS * REQUESTS
    assert len({mail["Message-ID"] for mail in relay.mails}) == len(relay.mails)
    assert ProgramCertRecord.objects.count() == LEARNERS
    milliseconds = [1000 * seconds for _status, seconds in answers]
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{len(answers)} requests in {answered:.1f} s, sent after {ended:.1f} s; relay {delay * 1000:.0f} ms; "
            f"send: median {statistics.median(milliseconds):.0f} ms, longest {max(milliseconds):.0f} ms"
        )
