"""
Many learners at once, through gunicorn and a worker.

The environment variables ``LEARNERS`` and ``REQUESTS`` (per learner) say how many. ``pytest -n 0`` shows the times.
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
@pytest.mark.parametrize("delay", [0, 0.25], ids="relay delay {} s".format)
def test_no_request_is_lost(delay, broker, web, worker, program, pathway, relay, capsys):
    sessions = [session_of(user) for user in factories.UserFactory.create_batch(LEARNERS)]
    relay.delay = delay

    def send(session):
        username, key = session
        body = {"username": username, "pathway_id": pathway.pk}
        return [timed(server.post, f"/records/programs/{program.uuid}/send", key, body) for _request in range(REQUESTS)]

    with web(workers=2, threads=8) as server, worker(concurrency=4), ThreadPoolExecutor(LEARNERS) as learners:
        began = time.monotonic()
        responses = [response for responses in learners.map(send, sessions) for response in responses]
        responded = time.monotonic() - began
        sent = UserCreditPathway.objects.filter(status="sent")
        wait_until(lambda: sent.count() == len(responses), 60 + len(responses))
        ended = time.monotonic() - began
    assert {status for status, _seconds in responses} == {202}
    assert len(relay.messages) == UserCreditPathway.objects.count() == LEARNERS * REQUESTS
    assert len({message["Message-ID"] for message in relay.messages}) == len(relay.messages)
    assert ProgramCertRecord.objects.count() == LEARNERS
    milliseconds = [1000 * seconds for _status, seconds in responses]
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{len(responses)} requests in {responded:.1f} s, sent after {ended:.1f} s; relay {delay * 1000:.0f} ms; "
            f"send: median {statistics.median(milliseconds):.0f} ms, longest {max(milliseconds):.0f} ms"
        )
