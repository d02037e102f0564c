"""A real worker, on each broker."""

import contextlib

import pytest

from credit_pathways import api
from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support import smtp
from tests.support.celery_app import app
from tests.support.quorum import QUORUM
from tests.support.threads import run_concurrently, wait_until


def finished():
    """Whether no request is pending."""
    return not UserCreditPathway.objects.filter(status="pending").exists()


def statuses():
    return list(UserCreditPathway.objects.order_by("pk").values_list("status", flat=True))


def request_credit(learner, program, *pathways):
    return api.request_credit(user=learner, program=program, pathways=pathways)


class TestMailServers:
    def test_one_that_accepts_the_email(self, worker, learner, program, pathway, relay):
        other = factories.PathwayFactory(programs=[program])
        with worker() as process:
            requests = request_credit(learner, program, pathway, other)
            assert [request.status for request in requests] == ["pending", "pending"]
            wait_until(finished)
        assert (statuses(), len(relay.messages)) == (["sent", "sent"], 2)
        assert f"credit request {requests[0].pk}: sent" in process.output()
        assert "halima" not in process.output().lower()

    @pytest.mark.parametrize(
        ("replies", "status", "attempts"),
        [({}, "sent", 3), ({"RCPT": "550 no such user"}, "failed", 4), ({"DATA": "554 not wanted"}, "failed", 4)],
        ids=["greylists", "rejects the recipient", "rejects the text"],
    )
    def test_one_that_refuses(self, worker, learner, program, pathway, relay, replies, status, attempts):
        if status == "sent":
            relay.greylist(2)
        relay.replies.update(replies)
        with worker():
            request_credit(learner, program, pathway)
            wait_until(finished)
        assert (statuses(), relay.rcpt_count, len(relay.messages)) == ([status], attempts, attempts == 3)

    def test_one_that_is_down(self, worker, learner, program, pathway):
        with worker(TEST_RELAY_PORT=str(smtp.free_port())) as process:
            request_credit(learner, program, pathway)
            wait_until(finished)
        assert statuses() == ["failed"]
        assert process.output().count(": ConnectionRefusedError") == 4

    def test_one_that_hangs(self, worker, learner, program, pathway):
        with (
            smtp.misbehaving_server(b"220 relay.example\r\n", hangs=True) as port,
            worker(TEST_RELAY_PORT=str(port)) as process,
        ):
            request_credit(learner, program, pathway)
            wait_until(finished)
        assert statuses() == ["failed"]
        assert process.output().count(": retrying in") == 3

    def test_one_that_disconnects(self, worker, learner, program, pathway, relay):
        relay.disconnects = True
        with worker():
            request_credit(learner, program, pathway)
            wait_until(finished)
        assert (statuses(), relay.rcpt_count, relay.messages) == (["failed"], 4, [])

    def test_one_that_accepts_the_email_but_disconnects_before_confirming(
        self, worker, learner, program, pathway, relay
    ):
        relay.accept_and_disconnect(2)
        with worker():
            request_credit(learner, program, pathway)
            wait_until(finished)
        assert (statuses(), len(relay.messages), len({message["Message-ID"] for message in relay.messages})) == (
            ["sent"],
            3,
            1,
        )


def test_several_workers_send_each_email_once(is_drained, worker, learner, program, pathway, relay):
    pathways = [pathway, *factories.PathwayFactory.create_batch(39, programs=[program])]
    with contextlib.ExitStack() as stack:
        for _number in range(2):
            stack.enter_context(worker(concurrency=2))
        request_credit(learner, program, *pathways)
        wait_until(finished)
        wait_until(is_drained)
    assert sorted(message["To"] for message in relay.messages) == sorted(pathway.email for pathway in pathways)
    assert set(statuses()) == {"sent"}


def test_twenty_concurrent_requests_for_a_record_that_is_not_shared_yet(worker, learner, program, pathway, relay):
    with worker(concurrency=2):
        results = run_concurrently(
            20, lambda: [request.status for request in request_credit(learner, program, pathway)]
        )
        assert results == [["pending"]] * 20
        wait_until(finished)
    assert (statuses(), len(relay.messages)) == (["sent"] * 20, 20)
    links = {
        word
        for message in relay.messages
        for word in message.get_body(["plain"]).get_content().split()
        if "/shared/" in word
    }
    assert len({link.removesuffix("csv").rstrip("/") for link in links}) == 1


@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)
def test_a_quorum_queue(broker, worker, environment, learner, program, pathway, relay, settings, monkeypatch):
    """The second attempt matters, because Celery delays it in other queues than on a classic queue."""
    monkeypatch.delitem(vars(app), "amqp", raising=False)
    for name, value in QUORUM.items():
        setattr(settings, name, value)
    relay.greylist(1)
    with worker(TEST_QUORUM="yes") as process:
        request_credit(learner, program, pathway)
        wait_until(finished)
    assert (statuses(), relay.rcpt_count) == (["sent"], 2)
    assert "may block the worker" not in process.output()
