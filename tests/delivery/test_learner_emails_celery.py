"""Emails to learners where workers send them: queued, retried, and each message once."""

import logging

import pytest
from celery.exceptions import Retry
from django.db import OperationalError, connection
from django.urls import reverse

from credit_pathways.delivery import broker, learner_emails
from credit_pathways.models import UserCreditPathway
from credit_pathways.tasks import send_learner_email
from tests.support.celery_app import app
from tests.support.database import interrupted
from tests.support.outcomes import attempt, run_first_attempt

from .test_learner_emails import INSTITUTION, LEARNER, bounce, recipients

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _celery(settings):
    settings.CREDIT_PATHWAYS_DELIVERY = "celery"
    settings.CREDIT_PATHWAYS_LEARNER_EMAILS = "all"
    settings.CREDIT_PATHWAYS_CELERY_BACKOFF = 0
    settings.CREDIT_PATHWAYS_CELERY_ATTEMPTS = 3


def queued():
    with app.connection() as connection, connection.SimpleQueue("credit_pathways") as queue:
        return [queue.get(block=False) for _message in range(queue.qsize())]


def test_a_click_queues_the_request_only(client, program, pathway, relay):
    url = reverse("credit_pathways:request_credit", args=[program.uuid])
    client.post(url, {"pathway": [pathway.pk]})
    assert [message.headers["task"] for message in queued()] == [broker.TASK]
    assert relay.messages == []


@pytest.mark.parametrize(("reply", "event"), [("250 OK", "sent"), ("550 no such user", "failed")])
def test_a_worker_queues_the_email(reply, event, request_row, relay, settings):
    relay.replies[INSTITUTION] = reply
    settings.CREDIT_PATHWAYS_CELERY_ATTEMPTS = 1
    assert attempt(request_row.pk) == event
    [message] = queued()
    assert (message.headers["task"], message.payload[0]) == (broker.LEARNER_EMAIL_TASK, [request_row.pk, event, 0])
    assert LEARNER not in recipients(relay)
    for personal in ("halima", "home.example", "northfield"):
        assert personal not in f"{message.body} {message.headers}".lower()


def test_nothing_is_held_back(sent_row):
    with learner_emails.held_back():
        assert bounce(sent_row)
        assert len(queued()) == 1
    assert queued() == []


def test_a_bounce_queues_it(sent_row, relay, caplog):
    caplog.set_level(logging.INFO, logger="credit_pathways")
    assert bounce(sent_row)
    assert f"credit request {sent_row.pk}: learner email (bounced): queued" in caplog.text
    assert [message.payload[0] for message in queued()] == [[sent_row.pk, "bounced", 0]]
    assert relay.messages == []


def test_a_broker_that_is_down_changes_nothing(sent_row, settings, monkeypatch, caplog):
    monkeypatch.setattr(broker, "BROKER_TIMEOUT", 0.2)
    settings.CELERY_BROKER_URL = "amqp://127.0.0.1:1//"
    assert bounce(sent_row)
    assert f"credit request {sent_row.pk}: learner email (bounced): not queued: " in caplog.text


def test_it_is_retried_until_the_mail_server_works(sent_row, relay, caplog):
    relay.greylist(2)
    send_learner_email.apply([sent_row.pk, "sent"]).get()
    assert (relay.rcpt_count, recipients(relay)) == (3, [LEARNER])
    assert f"credit request {sent_row.pk}: learner email (sent): retrying in 0 s" in caplog.text


def test_copies_of_its_message_do_nothing(sent_row, relay):
    for _time in range(2):
        send_learner_email.apply([sent_row.pk, "sent", 0]).get()
    assert recipients(relay) == [LEARNER]
    assert bounce(sent_row)
    [message] = queued()
    assert message.payload[0] == [sent_row.pk, "bounced", 1]
    send_learner_email.apply(message.payload[0]).get()
    assert recipients(relay) == [LEARNER] * 2


def test_a_message_that_is_no_longer_true_does_not_make_the_next_one_a_copy(sent_row, relay):
    assert bounce(sent_row)
    [message] = queued()
    send_learner_email.apply([sent_row.pk, "sent", 0]).get()
    assert relay.messages == []
    send_learner_email.apply(message.payload[0]).get()
    assert recipients(relay) == [LEARNER]


def test_an_error_of_the_database_loses_nothing(sent_row, relay):
    def away(execute, sql, params, many, context):
        if "UPDATE" in sql and not struck:
            struck.append(sql)
            raise OperationalError("away")
        return execute(sql, params, many, context)

    struck = []
    with connection.execute_wrapper(away):
        send_learner_email.apply([sent_row.pk, "sent", 0]).get()
    assert (len(struck), recipients(relay)) == (1, [LEARNER])


def test_an_email_that_kills_its_worker_is_not_sent_again(sent_row, relay):
    UserCreditPathway.objects.update(learner_email_attempts=1)
    send_learner_email.apply([sent_row.pk, "sent", 0]).get()
    assert relay.messages == []


def test_there_are_no_further_attempts_if_it_is_no_longer_true(request_row, relay, caplog):
    send_learner_email.apply([request_row.pk, "sent"]).get()
    assert (relay.messages, "retrying" in caplog.text) == ([], False)


def test_the_attempts_are_limited(sent_row, relay):
    relay.replies["RCPT"] = "550 no such user"
    send_learner_email.apply([sent_row.pk, "sent"]).get()
    assert (relay.rcpt_count, UserCreditPathway.objects.get().status) == (3, "sent")


def test_the_next_attempt_is_queued(sent_row, relay):
    relay.replies["RCPT"] = "451 greylisted"
    run_first_attempt(send_learner_email, [sent_row.pk, "sent"], Retry)
    [message] = queued()
    assert (message.headers["retries"], message.payload[0]) == (1, [sent_row.pk, "sent", 1])


def test_a_broker_that_refuses_the_next_attempt_ends_it(sent_row, relay, settings, monkeypatch, caplog):
    relay.replies["RCPT"] = "451 greylisted"
    monkeypatch.setattr(broker, "BROKER_TIMEOUT", 0.2)
    settings.CELERY_BROKER_URL = "amqp://127.0.0.1:1//"
    send_learner_email.push_request(args=[sent_row.pk, "sent"], retries=0, called_directly=False, is_eager=False)
    send_learner_email.run(sent_row.pk, "sent")
    send_learner_email.pop_request()
    assert f"credit request {sent_row.pk}: learner email (sent): not queued: " in caplog.text


def test_a_bounce_is_recorded_just_before_another_email_is_counted(sent_row, relay):
    """That email is not true any more, and must not make the bounce's one a copy."""
    with interrupted("UPDATE", UserCreditPathway, before=lambda: bounce(sent_row)):
        send_learner_email.apply([sent_row.pk, "sent", 0]).get()
    [message] = queued()
    send_learner_email.apply(message.payload[0]).get()
    assert [mail["Subject"] for mail in relay.messages] == [
        f"Credit request {sent_row.pk} did not reach Northfield University"
    ]
