"""What a real worker does, over each broker."""

import contextlib

import pytest

from credit_pathways import api
from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support import smtp
from tests.support.celery_app import app
from tests.support.processes import wait_until
from tests.support.quorum import QUORUM
from tests.support.threads import at_once


def finished():
    """Whether no request is pending."""
    return not UserCreditPathway.objects.filter(status="pending").exists()


def statuses():
    return list(UserCreditPathway.objects.order_by("pk").values_list("status", flat=True))


def request_credit(learner, program, *pathways):
    return api.request_credit(user=learner, program=program, pathways=pathways)


class TestRelays:
    def test_one_that_takes_mail(self, worker, learner, program, pathway, relay):
        other = factories.PathwayFactory(programs=[program])
        with worker() as process:
            requests = request_credit(learner, program, pathway, other)
            assert [request.status for request in requests] == ["pending", "pending"]
            wait_until(finished)
        assert (statuses(), len(relay.mails)) == (["sent", "sent"], 2)
        assert f"credit request {requests[0].pk}: sent" in process.said()
        assert "halima" not in process.said().lower()

    @pytest.mark.parametrize(
        ("answers", "status", "attempts"),
        [({}, "sent", 3), ({"RCPT": "550 no such user"}, "failed", 4), ({"DATA": "554 not wanted"}, "failed", 4)],
        ids=["greylists", "rejects", "rejects the text"],
    )
    def test_one_that_refuses(self, worker, learner, program, pathway, relay, answers, status, attempts):
        if status == "sent":
            relay.refuses_first(2)
        relay.answers.update(answers)
        with worker():
            request_credit(learner, program, pathway)
            wait_until(finished)
        assert (statuses(), relay.asked, len(relay.mails)) == ([status], attempts, attempts == 3)

    def test_one_that_is_not_there(self, worker, learner, program, pathway):
        with worker(TEST_RELAY_PORT=str(smtp.free_port())) as process:
            request_credit(learner, program, pathway)
            wait_until(finished)
        assert statuses() == ["failed"]
        assert process.said().count(": ConnectionRefusedError") == 4

    def test_one_that_hangs(self, worker, learner, program, pathway):
        with (
            smtp.misbehaving(b"220 relay.example\r\n", hangs=True) as port,
            worker(TEST_RELAY_PORT=str(port)) as process,
        ):
            request_credit(learner, program, pathway)
            wait_until(finished)
        assert statuses() == ["failed"]
        assert [attempt for attempt in range(1, 6) if f": attempt {attempt} failed" in process.said()] == [1, 2, 3]

    def test_one_that_drops(self, worker, learner, program, pathway, relay):
        relay.drops = True
        with worker():
            request_credit(learner, program, pathway)
            wait_until(finished)
        assert (statuses(), relay.asked, relay.mails) == (["failed"], 4, [])

    def test_one_that_takes_mail_and_drops_before_it_says_so(self, worker, learner, program, pathway, relay):
        relay.takes_and_drops(2)
        with worker():
            request_credit(learner, program, pathway)
            wait_until(finished)
        assert (statuses(), len(relay.mails), len({mail["Message-ID"] for mail in relay.mails})) == (["sent"], 3, 1)


def test_several_workers_send_each_mail_once(worker, learner, program, pathway, relay):
    pathways = [pathway, *factories.PathwayFactory.create_batch(39, programs=[program])]
    with contextlib.ExitStack() as stack:
        for _number in range(2):
            stack.enter_context(worker(concurrency=2))
        request_credit(learner, program, *pathways)
        wait_until(finished)
    assert sorted(mail["To"] for mail in relay.mails) == sorted(pathway.email for pathway in pathways)
    assert set(statuses()) == {"sent"}


def test_one_learner_twenty_times_at_once(worker, learner, program, pathway, relay):
    """For a record that is not shared yet."""
    with worker(concurrency=2):
        said = at_once(20, lambda: [request.status for request in request_credit(learner, program, pathway)])
        assert said == [["pending"]] * 20
        wait_until(finished)
    assert (statuses(), len(relay.mails)) == (["sent"] * 20, 20)
    links = {
        line for mail in relay.mails for line in mail.get_body(["plain"]).get_content().split() if "/shared/" in line
    }
    assert len({link.removesuffix("csv").rstrip("/") for link in links}) == 1


@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)
def test_a_quorum_queue(broker, worker, environment, learner, program, pathway, relay, settings, monkeypatch):
    """With a second attempt, for which Celery has queues of its own there."""
    monkeypatch.delitem(vars(app), "amqp", raising=False)
    for name, value in QUORUM.items():
        setattr(settings, name, value)
    relay.refuses_first(1)
    with worker(TEST_QUORUM="yes") as process:
        request_credit(learner, program, pathway)
        wait_until(finished)
    assert (statuses(), relay.asked) == (["sent"], 2)
    assert "may block the worker" not in process.said()
