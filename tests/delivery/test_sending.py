"""What one attempt records, and when. test_promises.py tests the promises."""

import logging
import threading
from io import StringIO

import django
import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection
from django.db.models.signals import pre_save
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext
from edx_ace.channel import ChannelMap
from edx_ace.channel.django_email import DjangoEmailChannel
from edx_ace.signals import ACE_MESSAGE_SENT

from credit_pathways import api, conf
from credit_pathways.delivery import later, sending
from credit_pathways.models import Program, ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support import sessions
from tests.support.failures import FAILURES, TalkativeChannel
from tests.support.outcomes import attempt
from tests.support.receivers import connected
from tests.support.record_source import NO_RECORD, FixedRecordSource
from tests.support.threads import run_concurrently

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_learner_emails")]


class FailingInsertBackend(BaseEmailBackend):
    """An email backend that queues emails in the database, and fails."""

    def send_messages(self, email_messages):
        Program.objects.create(site_id=None)


def status_of(request):
    return UserCreditPathway.objects.get(pk=request.pk).status


class TestDatabaseErrorWhileTheEmailIsInFlight:
    def test_in_the_email_backend_is_a_failure(self, request_row, settings):
        settings.EMAIL_BACKEND = "tests.delivery.test_sending.FailingInsertBackend"
        assert (api.deliver(request_row), status_of(request_row)) == ("failed", "failed")

    @pytest.mark.parametrize("swallowed", [True, False])
    def test_in_the_hosts_receiver_does_not_undo_what_was_sent(self, request_row, relay, swallowed):
        def receiver(**kwargs):
            try:
                Program.objects.create(site_id=None)
            except DatabaseError:
                if not swallowed:
                    raise

        with connected(ACE_MESSAGE_SENT, receiver):
            first = (api.deliver(request_row), status_of(request_row), len(relay.messages))
        assert first == ("sent", "sent", 1)
        api.deliver(request_row)
        assert len(relay.messages) == 1

    @pytest.mark.skipif("connection.vendor != 'postgresql'", reason="a PostgreSQL setting")
    def test_a_database_timeout_does_not_undo_what_was_sent(self, request_row, relay):
        with connection.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = '200ms'")
        wait = threading.Event()
        relay.on_data = lambda: wait.wait(0.6)
        assert (api.deliver(request_row), status_of(request_row), len(relay.messages)) == ("sent", "sent", 1)


class TestLock:
    @pytest.mark.skipif("not connection.features.has_select_for_update", reason="no row locks in this database")
    def test_concurrent_deliveries_send_one_email(self, request_row, relay):
        """The others find it claimed or, if they had to wait for its lock, sent."""
        wait = threading.Event()
        relay.on_data = lambda: wait.wait(0.3)
        statuses = run_concurrently(3, lambda: api.deliver(UserCreditPathway.objects.get(pk=request_row.pk)))
        assert ("sent" in statuses, len(relay.messages)) == (True, 1)
        assert set(statuses) <= {"pending", "sent"}

    def test_of_two_deliveries_that_start_at_once_one_sends_the_email(self, request_row, relay):
        """The other one locks the row for a moment, too, while it finds out that the row is claimed."""
        for number in range(1, 21):
            UserCreditPathway.objects.update(status="failed", failure_reason="x", attempts=0)
            statuses = run_concurrently(2, lambda: api.deliver(UserCreditPathway.objects.get()))
            assert set(statuses) <= {"sent", "pending"}
            assert (status_of(request_row), len(relay.messages)) == ("sent", number)

    @pytest.mark.skipif(
        "not connection.features.has_select_for_update_skip_locked", reason="this database cannot skip locked rows"
    )
    def test_nobody_waits_for_an_email_that_takes_longer_than_its_attempt(
        self, client, learner, program, pathway, relay, monkeypatch
    ):
        """The relay waits for them, and would be waited for."""
        monkeypatch.setattr(conf, "celery_time_limit", lambda: 0)
        seen = []

        def look():
            call_command("deliver_pending", older_than=0, stdout=StringIO())
            api.retire_learner(user=learner)
            seen.append(api.deliver(UserCreditPathway.objects.get()))
            connection.close()

        relay.on_data = look
        [credit_request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        assert (seen, status_of(credit_request), len(relay.messages)) == (["pending"], "sent", 1)


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="a connection to a file does not die")
class TestLostAnswers:
    """The database has done what it was told, but its answer was lost with the connection."""

    @pytest.fixture(autouse=True)
    def _told(self, settings, no_learner_emails):
        settings.CREDIT_PATHWAYS_LEARNER_EMAILS = "failures"

    @pytest.fixture
    def row(self, request_row):
        return UserCreditPathway.objects.get(pk=request_row.pk)

    @pytest.mark.parametrize("answer", [("UPDATE", "attempts"), ("COMMIT",)], ids=["claim", "outcome"])
    def test_the_email_was_sent(self, answer, row, relay):
        with sessions.answer_lost(*answer):
            assert api.deliver(row) == "sent"
        assert (status_of(row), len(relay.messages)) == ("sent", 1)

    def test_a_click(self, learner, program, pathway, relay):
        with sessions.answer_lost("UPDATE", "attempts"):
            [row] = api.request_credit(user=learner, program=program, pathways=[pathway])
        assert (row.status, status_of(row), len(relay.messages)) == ("sent", "sent", 1)

    def test_the_learner_is_told_of_the_failure(self, row, relay, settings):
        settings.CREDIT_PATHWAYS_CELERY_ATTEMPTS = 1
        relay.replies[row.pathway.email] = "550 no such user"
        with sessions.answer_lost("COMMIT"):
            assert later.attempt_delivery(request_id=row.pk, queued_after=0) is None
        assert (status_of(row), [message["To"] for message in relay.messages]) == ("failed", [row.user.email])

    def test_the_learner_is_told_of_interrupted_attempts(self, row, relay):
        UserCreditPathway.objects.update(attempts=conf.celery_attempts(), failure_reason="x")
        with sessions.answer_lost("UPDATE", "failure_reason"):
            later.attempt_delivery(request_id=row.pk, queued_after=conf.celery_attempts())
        assert (status_of(row), [message["To"] for message in relay.messages]) == ("failed", [row.user.email])

    def test_the_learner_is_told_of_a_bounce(self, row, relay):
        UserCreditPathway.objects.update(status="sent")
        with sessions.answer_lost("COMMIT"):
            assert api.record_bounce(request_id=row.pk, reason="5.1.1")
        assert [message["To"] for message in relay.messages] == [row.user.email]


def test_requests_that_cannot_be_given_up_are_reported_as_failed(request_row, caplog):
    """Each of them, and whatever the error, because learners wait for the response."""
    other = factories.UserCreditPathwayFactory(user=request_row.user)

    def away(execute, sql, params, many, context):
        raise OperationalError("away")

    with connection.execute_wrapper(away):
        sending.fail([request_row, other], sending.NOT_STARTED)
    assert (request_row.status, other.status) == ("failed", "failed")
    assert caplog.text.count("OperationalError") == 2


class TestWithdrawnLink:
    def test_no_email_contains_a_dead_link(self, learner, program, pathway, relay):
        """The learner stops sharing while the first of two emails is in flight."""
        other = factories.PathwayFactory(programs=[program])

        def revoke():
            api.revoke_record(user=learner, program=program)
            connection.close()

        relay.on_data = revoke
        requests = api.request_credit(user=learner, program=program, pathways=[pathway, other])
        assert [request.status for request in requests] == ["sent", "failed"]
        assert [mail["To"] for mail in relay.messages] == [pathway.email]


class TestAllOrNothing:
    @pytest.mark.parametrize("model", [UserCreditPathway, ProgramCertRecord])
    def test_a_row_that_cannot_be_written_leaves_nothing(self, model, learner, program, pathway, relay):
        def refuse(**kwargs):
            raise DatabaseError("no room")

        with connected(pre_save, refuse, sender=model), pytest.raises(DatabaseError):
            api.request_credit(user=learner, program=program, pathways=[pathway])
        assert (UserCreditPathway.objects.count(), ProgramCertRecord.objects.count(), relay.messages) == (0, 0, [])


#: Parts of the failure reasons of some ways to fail.
REASONS = {
    "connection_refused": "could not be sent (ConnectionRefusedError)",
    "greeting_421": "could not be sent (SMTPConnectError 421)",
    "rcpt_550": "could not be sent (SMTPRecipientsRefused 550)",
    "data_554": "could not be sent (SMTPDataError 554)",
    "timeout_after_greeting": "could not be sent (SMTPServerDisconnected)",
    "disconnect_in_data": "could not be sent (SMTPServerDisconnected)",
    "no_template": "could not be sent (TemplateDoesNotExist)",
    "channel_error": "could not be sent (ValueError)",
    "no_channel": "No email channel accepted the email",
    "policy_denies": "No email channel accepted the email",
    "channel_busy": "No email channel accepted the email",
}


REASON_TEXTS = [text for name, text in vars(sending).items() if name.isupper() and isinstance(text, str)]


class TestWhatIsRecorded:
    """The address, the number of attempts, and why an attempt failed."""

    def recorded(self):
        return UserCreditPathway.objects.values_list("status", "attempts", "sent_to", "failure_reason").get()

    def test_the_address(self, request_row, relay):
        api.deliver(request_row)
        assert self.recorded() == ("sent", 1, "registrar@northfield.example", "")
        assert [mail["To"] for mail in relay.messages] == [request_row.sent_to]
        type(request_row.pathway).objects.update(email="new@northfield.example")
        assert self.recorded()[2] == "registrar@northfield.example"

    @pytest.mark.parametrize("name", FAILURES)
    def test_every_failure_has_a_reason_without_personal_data(self, name, request_row, failure):
        with getattr(failure, name)():
            api.deliver(request_row)
        status, attempts, sent_to, reason = self.recorded()
        assert (status, attempts, sent_to) == ("failed", 1, "")
        assert (request_row.attempts, request_row.failure_reason) == (1, reason)
        assert REASONS.get(name, "email") in reason
        for personal in ("Halima", "Khan", "halima", "home.example", str(ProgramCertRecord.objects.get().uuid)):
            assert personal not in reason
        api.deliver(request_row)
        assert self.recorded() == ("sent", 2, "registrar@northfield.example", "")

    @pytest.mark.parametrize(
        ("model", "values", "reason"),
        [
            pytest.param(
                "user", {"is_active": False}, "The learner's account is inactive", marks=pytest.mark.usual_users
            ),
            ("user", {"username": NO_RECORD}, "The learner has no record in the program"),
            ("pathway", {"email": ""}, "The pathway has no email address"),
        ],
        ids=str,
    )
    def test_nothing_to_send(self, model, values, reason, request_row, relay):
        type(getattr(request_row, model)).objects.update(**values)
        row = UserCreditPathway.objects.get()
        assert attempt(row.pk) == "failed"
        assert (*self.recorded(), relay.messages) == ("failed", 1, "", reason, [])

    def test_a_withdrawn_link(self, request_row, learner, program, relay):
        api.revoke_record(user=learner, program=program)
        api.deliver(request_row)
        assert (*self.recorded(), relay.messages) == ("failed", 1, "", "The record is no longer shared", [])

    def test_a_request_that_stays_pending(self, request_row, failure):
        with failure.rcpt_451():
            assert attempt(request_row.pk) == "pending"
        assert self.recorded()[:2] == ("pending", 1)
        assert "(SMTPRecipientsRefused 451)" in self.recorded()[3]
        assert request_row.created < UserCreditPathway.objects.get().modified < timezone.now()

    def test_a_record_source_that_raises_an_error(self, request_row, relay, settings, monkeypatch):
        def raise_error(*args):
            raise LookupError("Halima Khan")

        monkeypatch.setattr(FixedRecordSource, "progress", raise_error)
        reason = "The email could not be sent (LookupError)"
        settings.CREDIT_PATHWAYS_CELERY_ATTEMPTS = 3
        for number, status in enumerate(("pending", "pending", "failed"), start=1):
            assert attempt(request_row.pk) == status
            assert self.recorded() == (status, number, "", reason)
        UserCreditPathway.objects.update(failure_reason="an earlier reason")
        assert api.deliver(request_row) == "failed"
        assert self.recorded() == ("failed", 4, "", reason)
        UserCreditPathway.objects.update(status="sent")
        assert api.deliver(request_row) == "sent"
        assert self.recorded()[1] == 4

    def test_the_longest_reason_fits(self):
        error = type("X" * 500, (Exception,), {"smtp_code": "Halima", "recipients": {"a@b.example": "Halima"}})()
        reason = sending.with_error(max(REASON_TEXTS, key=len), error)
        assert len(reason) <= UserCreditPathway._meta.get_field("failure_reason").max_length
        assert "Halima" not in reason

    def test_reasons_are_translated_when_they_are_shown(self, request_row):
        request_row.failure_reason = f"{sending.NOT_SENT} (TimeoutError)"
        assert request_row.failure_label == request_row.failure_reason
        with translation.override("fr"):
            assert request_row.failure_label == f"{gettext(sending.NOT_SENT)} (TimeoutError)"
            assert request_row.failure_label != request_row.failure_reason
        assert UserCreditPathway().failure_label == ""


class TestOutcome:
    def test_modified_is_when_the_email_was_sent(self, request_row, relay):
        api.deliver(request_row)
        row = UserCreditPathway.objects.get()
        assert row.modified == request_row.modified > row.created

    @pytest.mark.parametrize(("answer", "level"), [("250 OK", logging.INFO), ("550 no such user", logging.WARNING)])
    def test_it_is_logged_in_one_line(self, answer, level, request_row, relay, caplog):
        caplog.set_level(logging.INFO, logger="credit_pathways")
        relay.replies["RCPT"] = answer
        status = api.deliver(request_row)
        lines = [
            (line.levelno, line.getMessage()) for line in caplog.records if line.name.startswith("credit_pathways")
        ]
        assert lines == [(level, f"credit request {request_row.pk}: {status}")]


class TestGivingUp:
    @pytest.mark.parametrize("status", ["failed", "sent"])
    def test_leaves_a_request_that_is_not_pending(self, status, request_row):
        """Or its learner would be told a second time."""
        UserCreditPathway.objects.update(status=status)
        before = UserCreditPathway.objects.values().get()
        assert sending.give_up(request_row, sending.NOT_SENT) is None
        assert (request_row.status, UserCreditPathway.objects.values().get()) == (status, before)


def test_a_request_that_is_gone_counts_as_pending(request_row, relay):
    request_row.status = "failed"
    UserCreditPathway.objects.all().delete()
    assert (api.deliver(request_row), relay.messages) == ("pending", [])


def test_the_transactional_channel_is_used_if_there_is_one(request_row, relay, settings, ace_plugins):
    ace_plugins(channels=ChannelMap([["bulk", TalkativeChannel()], ["django_email", DjangoEmailChannel()]]))
    settings.ACE_CHANNEL_DEFAULT_EMAIL = "bulk"
    assert api.deliver(request_row) == "sent"
    del settings.ACE_CHANNEL_TRANSACTIONAL_EMAIL
    request_row = factories.UserCreditPathwayFactory(
        user=request_row.user, program=request_row.program, pathway=request_row.pathway
    )
    assert api.deliver(request_row) == "failed"
    settings.ACE_CHANNEL_DEFAULT_EMAIL = "django_email"
    assert api.deliver(request_row) == "sent"


def test_a_failure_does_not_email_the_administrators(client, program, pathway, relay, settings, caplog):
    """Django emails them every response of 500 or above, with the user's name."""
    settings.ADMINS = [("Admin", "admin@example.com")]
    relay.replies["RCPT"] = "550 no such user"
    body = {"username": "halima", "pathway_id": pathway.pk}
    answer = client.post(reverse("credit_pathways:send", args=[program.uuid]), body, content_type="application/json")
    assert answer.status_code == 502
    assert not [record for record in caplog.records if record.name == "django.request"]
    assert (relay.messages, mail.outbox) == ([], [])


@pytest.mark.skipif(django.VERSION < (6, 1), reason="MAILERS is new in Django 6.1")
@pytest.mark.parametrize(("answer", "status"), [("250 OK", "sent"), ("550 no such user", "failed")])
def test_with_mailers(answer, status, request_row, relay, settings):
    options = {"host": "127.0.0.1", "port": settings.EMAIL_PORT, "timeout": 5}
    relay.replies["RCPT"] = answer
    for name in ("EMAIL_BACKEND", "EMAIL_HOST", "EMAIL_PORT", "EMAIL_TIMEOUT"):
        delattr(settings, name)
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
    assert api.deliver(request_row) == status
