"""Emails to learners, sent by a real worker, on each broker."""

from credit_pathways import api
from credit_pathways.models import UserCreditPathway
from tests.support.threads import wait_until

INSTITUTION, LEARNER = "registrar@northfield.example", "halima@home.example"


def status():
    return UserCreditPathway.objects.get().status


def recipients(relay):
    return [mail["To"] for mail in relay.messages]


def test_a_worker_that_gives_up_tells_the_learner(worker, learner, program, pathway, relay):
    relay.replies[INSTITUTION] = "550 no such user"
    with worker(TEST_LEARNER_EMAILS="failures") as process:
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        wait_until(lambda: recipients(relay) == [LEARNER])
        wait_until(lambda: f"credit request {request.pk}: learner email (failed): sent" in process.output())
    assert status() == "failed"
    assert relay.messages[0]["Subject"] == f"Credit request {request.pk} could not be sent to Northfield University"
    assert "halima" not in process.output().lower()


def test_it_does_so_once_the_mail_server_is_back(worker, learner, program, pathway, relay):
    relay.replies["RCPT"] = "451 try later"
    with worker(TEST_LEARNER_EMAILS="failures", TEST_BACKOFF="1"):
        api.request_credit(user=learner, program=program, pathways=[pathway])
        wait_until(lambda: status() == "failed")
        assert relay.messages == []
        relay.replies.clear()
        wait_until(lambda: recipients(relay) == [LEARNER])


def test_a_confirmation_comes_after_the_institutions_email(worker, learner, program, pathway, relay):
    with worker(TEST_LEARNER_EMAILS="all"):
        api.request_credit(user=learner, program=program, pathways=[pathway])
        wait_until(lambda: len(relay.messages) == 2)
    assert (status(), recipients(relay)) == ("sent", [INSTITUTION, LEARNER])


def test_a_bounce_is_told_by_the_worker(worker, learner, program, pathway, relay):
    with worker(TEST_LEARNER_EMAILS="failures"):
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        wait_until(lambda: status() == "sent")
        assert api.record_bounce(request_id=request.pk, reason="5.1.1 no such user")
        wait_until(lambda: recipients(relay) == [INSTITUTION, LEARNER])
    assert "does not exist" in relay.messages[1].get_body(("plain",)).get_content()
