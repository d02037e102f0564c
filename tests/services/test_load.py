"""
Many learners at once, through gunicorn and a worker.

The environment variables ``LEARNERS`` and ``REQUESTS`` (per learner) say how many, ``ROWS`` how large the catalog is.
``pytest -n 0`` shows the times.
"""

import os
import random
import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.sites.models import Site

from credit_pathways.catalog.sync import synchronize
from credit_pathways.models import Pathway, Program, ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support.catalog_items import pathway_item, program_item
from tests.support.load import session_of, timed
from tests.support.threads import wait_until

LEARNERS = int(os.environ.get("LEARNERS", "20"))
REQUESTS = int(os.environ.get("REQUESTS", "5"))
ROWS = int(os.environ.get("ROWS", "60"))


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


@pytest.mark.timeout(120 + LEARNERS * REQUESTS)
def test_no_click_fails_while_synchronizations_change_every_row(web, relay, capsys):
    """Each click is one request in JSON, or the form with three pathways in any order."""
    programs = [program_item() for _number in range(ROWS)]
    pathways = [pathway_item(*programs[max(0, number - 20) :][:20]) for number in range(ROWS)]

    def sync(name):
        items = {
            "programs": [{**item, "title": name} for item in programs],
            "pathways": [{**item, "name": name} for item in pathways],
        }
        result, seconds = timed(lambda: synchronize(site=Site.objects.get_current(), **items))
        assert len(result.changes) >= 2 * ROWS
        return seconds

    def click(session):
        username, key = session
        chance = random.Random(username)  # noqa: S311
        for _request in range(REQUESTS):
            program = chance.choice(choices)
            chosen = chance.sample([pathway.pk for pathway in program.pathways.all()], 3)
            path = f"/records/programs/{program.uuid}"
            yield timed(server.post, f"{path}/send", key, {"username": username, "pathway_id": chosen[0]})
            yield timed(server.post_form, f"{path}/request-credit", key, {"pathway": chosen})

    sync("0")
    choices = list(Program.objects.prefetch_related("pathways").exclude(pathways=None).distinct())
    choices = [program for program in choices if program.pathways.count() >= 3]
    sessions = [session_of(user) for user in factories.UserFactory.create_batch(LEARNERS)]
    durations = []
    with web(workers=2, threads=8, TEST_EMAIL_TIMEOUT="30") as server, ThreadPoolExecutor(LEARNERS) as learners:
        clicks = [learners.submit(lambda session=session: list(click(session))) for session in sessions]
        while not all(each.done() for each in clicks):
            durations.append(sync(str(len(durations) + 1)))
    responses = [response for each in clicks for response in each.result()]
    assert Counter(status for status, _seconds in responses) == {200: LEARNERS * REQUESTS, 302: LEARNERS * REQUESTS}
    sent = LEARNERS * REQUESTS * 4
    assert (UserCreditPathway.objects.filter(status="sent").count(), len(relay.messages)) == (sent, sent)
    assert Pathway.objects.filter(name=str(len(durations))).count() == ROWS
    with capsys.disabled():
        longest = max(seconds for _status, seconds in responses)
        print(  # noqa: T201
            f"\n{len(responses)} clicks during {len(durations)} synchronizations of {2 * ROWS} rows, which took "
            f"{statistics.median(durations):.1f} s; longest click {longest:.1f} s"
        )
