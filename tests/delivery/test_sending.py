"""What delivery writes down, and when. What it promises is in test_promises.py."""

import logging
import threading

import django
import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, connection
from django.db.models.signals import pre_save
from edx_ace.channel import ChannelMap
from edx_ace.channel.django_email import DjangoEmailChannel
from edx_ace.signals import ACE_MESSAGE_SENT

from credit_pathways import api
from credit_pathways.models import Program, ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support.failures import TalkativeChannel
from tests.support.receivers import connected
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


class FailingInsertBackend(BaseEmailBackend):
    """A mail backend that queues mails in the database, and fails to."""

    def send_messages(self, email_messages):
        Program.objects.create(site_id=None)


@pytest.fixture
def request_row(learner, program, pathway):
    """A pending request of a record that is shared."""
    factories.ProgramCertRecordFactory(user=learner, program=program)
    return factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway)


def status_of(request):
    return UserCreditPathway.objects.get(pk=request.pk).status


class TestADatabaseErrorWhileTheMailIsInFlight:
    def test_of_the_mail_backend_is_a_failure(self, request_row, settings):
        settings.EMAIL_BACKEND = "tests.delivery.test_sending.FailingInsertBackend"
        assert (api.deliver(request_row), status_of(request_row)) == ("failed", "failed")

    @pytest.mark.parametrize("swallowed", [True, False])
    def test_of_a_receiver_of_the_host_does_not_unsay_what_was_sent(self, request_row, relay, swallowed):
        def receiver(**kwargs):
            try:
                Program.objects.create(site_id=None)
            except DatabaseError:
                if not swallowed:
                    raise

        with connected(ACE_MESSAGE_SENT, receiver):
            first = (api.deliver(request_row), status_of(request_row), len(relay.mails))
        # A receiver that raises before the app hears the report hides it (ADR 0002).
        outcome = "sent" if swallowed else "failed"
        assert first == (outcome, outcome, 1)
        api.deliver(request_row)
        assert len(relay.mails) == (1 if swallowed else 2)

    @pytest.mark.skipif("connection.vendor != 'postgresql'", reason="a setting of PostgreSQL")
    def test_the_database_losing_patience_does_not_unsay_what_was_sent(self, request_row, relay):
        with connection.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = '200ms'")
        wait = threading.Event()
        relay.on_data = lambda: wait.wait(0.6)
        assert (api.deliver(request_row), status_of(request_row), len(relay.mails)) == ("sent", "sent", 1)


class TestLock:
    @pytest.mark.skipif("not connection.features.has_select_for_update", reason="no row locks in this database")
    def test_two_deliveries_at_once_send_one_mail(self, request_row, relay):
        wait = threading.Event()
        relay.on_data = lambda: wait.wait(0.3)
        said = at_once(3, lambda: api.deliver(UserCreditPathway.objects.get(pk=request_row.pk)))
        assert (sorted(said), len(relay.mails)) == (["pending", "pending", "sent"], 1)


class TestWithdrawnMeanwhile:
    def test_no_mail_leaves_with_a_dead_link(self, learner, program, pathway, relay):
        """The learner stops sharing while the first of two mails is in flight."""
        other = factories.PathwayFactory(programs=[program])

        def revoke():
            api.revoke_record(user=learner, program=program)
            connection.close()

        relay.on_data = revoke
        requests = api.request_credit(user=learner, program=program, pathways=[pathway, other])
        assert [request.status for request in requests] == ["sent", "failed"]
        assert [mail["To"] for mail in relay.mails] == [pathway.email]


class TestAllOrNothing:
    @pytest.mark.parametrize("model", [UserCreditPathway, ProgramCertRecord])
    def test_a_row_that_cannot_be_written_leaves_nothing(self, model, learner, program, pathway, relay):
        def refuse(**kwargs):
            raise DatabaseError("no room")

        with connected(pre_save, refuse, sender=model), pytest.raises(DatabaseError):
            api.request_credit(user=learner, program=program, pathways=[pathway])
        assert (UserCreditPathway.objects.count(), ProgramCertRecord.objects.count(), relay.mails) == (0, 0, [])


class TestWrittenDown:
    def test_when_the_mail_left_is_when_the_row_was_modified(self, request_row, relay):
        api.deliver(request_row)
        row = UserCreditPathway.objects.get()
        assert row.modified == request_row.modified > row.created

    @pytest.mark.parametrize(("answer", "level"), [("250 OK", logging.INFO), ("550 no such user", logging.WARNING)])
    def test_one_line_in_the_log_says_what_became_of_it(self, answer, level, request_row, relay, caplog):
        caplog.set_level(logging.INFO, logger="credit_pathways")
        relay.answers["RCPT"] = answer
        status = api.deliver(request_row)
        lines = [
            (line.levelno, line.getMessage()) for line in caplog.records if line.name.startswith("credit_pathways")
        ]
        assert lines == [(level, f"credit request {request_row.pk}: {status}")]


def test_the_transactional_channel_takes_it_where_there_is_one(request_row, relay, settings, ace_plugins):
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


def test_a_failure_does_not_write_to_the_administrators(client, program, pathway, relay, settings, caplog):
    """Django mails them every answer of 500 or more, with the name of the user."""
    settings.ADMINS = [("Admin", "admin@example.com")]
    relay.answers["RCPT"] = "550 no such user"
    body = {"username": "halima", "pathway_id": pathway.pk}
    answer = client.post(f"/records/programs/{program.uuid}/send", body, content_type="application/json")
    assert answer.status_code == 502
    assert not [record for record in caplog.records if record.name == "django.request"]
    assert (relay.mails, mail.outbox) == ([], [])


@pytest.mark.skipif(django.VERSION < (6, 1), reason="MAILERS came with Django 6.1")
@pytest.mark.parametrize(("answer", "status"), [("250 OK", "sent"), ("550 no such user", "failed")])
def test_with_mailers(answer, status, request_row, relay, settings):
    options = {"host": "127.0.0.1", "port": settings.EMAIL_PORT, "timeout": 5}
    relay.answers["RCPT"] = answer
    for name in ("EMAIL_BACKEND", "EMAIL_HOST", "EMAIL_PORT", "EMAIL_TIMEOUT"):
        delattr(settings, name)
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
    assert api.deliver(request_row) == status
