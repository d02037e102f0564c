"""Emails to learners: when they are sent, what they say, and that they affect nothing else."""

import logging
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.urls import reverse

from credit_pathways import api
from credit_pathways.delivery import learner_emails, sending
from credit_pathways.delivery.learner_emails import Event
from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support import sessions
from tests.support.failures import FAILURES
from tests.support.outcomes import attempt
from tests.support.record_source import FixedRecordSource

pytestmark = pytest.mark.django_db(transaction=True)

BOUNCED_AT = datetime(2026, 6, 17, 15, tzinfo=UTC)
INSTITUTION, LEARNER = "registrar@northfield.example", "halima@home.example"


@pytest.fixture
def all_emails(settings):
    settings.CREDIT_PATHWAYS_LEARNER_EMAILS = "all"


def recipients(relay):
    return [mail["To"] for mail in relay.messages]


def bounce(row, reason="5.1.1 smtp; 550 5.1.1 User unknown"):
    return api.record_bounce(request_id=row.pk, reason=reason)


class TestWhen:
    """Which outcomes are told with each value of the setting. The relay refuses the institution's address."""

    @pytest.fixture(params=["failures", "all", "none"])
    def setting(self, request, settings):
        settings.CREDIT_PATHWAYS_LEARNER_EMAILS = request.param
        return request.param

    def test_a_worker_gives_up(self, setting, request_row, relay, settings):
        relay.replies[INSTITUTION] = "550 no such user"
        settings.CREDIT_PATHWAYS_CELERY_ATTEMPTS = 3
        for status in ("pending", "pending", "failed"):
            assert relay.messages == []
            assert attempt(request_row.pk) == status
        assert recipients(relay) == ([] if setting == "none" else [LEARNER])

    def test_a_worker_gives_up_on_a_request_that_kills_every_worker(self, setting, request_row, relay, settings):
        settings.CREDIT_PATHWAYS_CELERY_ATTEMPTS = 3
        UserCreditPathway.objects.update(attempts=3)
        assert attempt(request_row.pk) == "failed"
        assert recipients(relay) == ([] if setting == "none" else [LEARNER])

    def test_a_worker_gives_up_at_an_error_of_the_host(self, setting, request_row, relay, settings, monkeypatch):
        def progress(self, user, program):
            raise LookupError

        monkeypatch.setattr(FixedRecordSource, "progress", progress)
        settings.CREDIT_PATHWAYS_CELERY_ATTEMPTS = 2
        for status in ("pending", "failed"):
            assert relay.messages == []
            assert attempt(request_row.pk) == status
        assert recipients(relay) == ([] if setting == "none" else [LEARNER])

    def test_nothing_is_left_to_send(self, setting, request_row, relay):
        api.revoke_record(user=request_row.user, program=request_row.program)
        assert attempt(request_row.pk) == "failed"
        assert recipients(relay) == ([] if setting == "none" else [LEARNER])

    def test_an_operator_gives_up(self, setting, request_row, relay):
        relay.replies[INSTITUTION] = "550 no such user"
        with pytest.raises(CommandError):
            call_command("deliver_pending", older_than=0)
        assert recipients(relay) == ([] if setting == "none" else [LEARNER])

    def test_an_operator_succeeds(self, setting, request_row, relay):
        call_command("deliver_pending", older_than=0)
        assert recipients(relay) == ([INSTITUTION, LEARNER] if setting == "all" else [INSTITUTION])

    def test_a_person_tries_again(self, setting, request_row, relay):
        relay.replies[INSTITUTION] = "550 no such user"
        api.deliver(request_row)
        told = [] if setting == "none" else [LEARNER]
        assert recipients(relay) == told
        api.deliver(request_row)  # failed before: the learner knows
        assert recipients(relay) == told
        relay.replies.clear()
        api.deliver(request_row)
        assert recipients(relay) == [*told, INSTITUTION, *([LEARNER] if setting == "all" else [])]
        api.deliver(request_row)  # sent already
        assert len(relay.messages) == len(told) + (2 if setting == "all" else 1)

    def test_the_email_comes_back(self, setting, sent_row, relay):
        for _time in range(2):
            bounce(sent_row)
        assert recipients(relay) == ([] if setting == "none" else [LEARNER])

    def test_a_click_that_succeeds(self, setting, learner, program, pathway, relay):
        api.request_credit(user=learner, program=program, pathways=[pathway])
        assert recipients(relay) == ([INSTITUTION, LEARNER] if setting == "all" else [INSTITUTION])

    def test_a_click_that_fails_is_told_on_the_page(self, setting, learner, program, pathway, relay):
        relay.replies[INSTITUTION] = "550 no such user"
        api.request_credit(user=learner, program=program, pathways=[pathway])
        assert relay.messages == []

    def test_a_retirement(self, setting, request_row, learner, relay):
        api.retire_learner(user=learner)
        assert (UserCreditPathway.objects.get().status, relay.messages) == ("failed", [])


@pytest.mark.usefixtures("all_emails")
class TestNotSent:
    @pytest.mark.parametrize("values", [{"is_active": False}, {"email": ""}, {"email": "a@b.example, c@d.example"}])
    def test_to_learners_who_cannot_get_it(self, values, sent_row, learner, relay):
        type(learner).objects.update(**values)
        for event in Event:
            assert learner_emails.send(sent_row.pk, event)
        assert relay.messages == []

    @pytest.mark.parametrize(
        ("values", "told"),
        [
            ({"status": "pending"}, []),
            ({"status": "failed"}, ["failed"]),
            ({"status": "sent"}, ["sent"]),
            ({"status": "sent", "bounced_at": BOUNCED_AT}, ["bounced"]),
        ],
        ids=str,
    )
    def test_if_it_would_not_be_true_any_more(self, values, told, request_row, relay):
        UserCreditPathway.objects.update(**values)
        for event in Event:
            assert learner_emails.send(request_row.pk, event)
        assert [mail["Message-ID"].split(".")[0] for mail in relay.messages] == [f"<credit-request-{e}" for e in told]

    def test_which_is_logged(self, sent_row, learner, relay, caplog):
        caplog.set_level(logging.INFO, logger="credit_pathways")
        type(learner).objects.update(email="")
        assert bounce(sent_row)
        assert "learner email (bounced): not sent: inactive account or no valid address" in caplog.text

    def test_about_a_deleted_request(self, relay):
        assert learner_emails.send(4711, Event.FAILED)
        assert relay.messages == []

    def test_if_the_transaction_is_rolled_back(self, sent_row, relay):
        with transaction.atomic():
            assert bounce(sent_row)
            transaction.set_rollback(True)
        assert (relay.messages, UserCreditPathway.objects.get().bounced_at) == ([], None)

    def test_with_an_invalid_setting(self, sent_row, relay, settings):
        settings.CREDIT_PATHWAYS_LEARNER_EMAILS = ["all"]
        assert bounce(sent_row)
        assert relay.messages == []


class TestAffectsNothingElse:
    @pytest.mark.usefixtures("all_emails")
    @pytest.mark.parametrize("name", FAILURES)
    def test_whatever_goes_wrong_with_it(self, name, sent_row, failure, caplog):
        """With the failures of every kind, after the institution's email was sent."""
        caplog.set_level(logging.DEBUG)
        with getattr(failure, name)():
            assert not learner_emails.send(sent_row.pk, Event.SENT)
        row = UserCreditPathway.objects.get()
        assert (row.status, row.attempts, row.failure_reason) == ("sent", 0, "")
        lines = [line.getMessage() for line in caplog.records if line.name.startswith("credit_pathways")]
        assert [line.split(": ")[:3] for line in lines] == [
            [f"credit request {row.pk}", "learner email (sent)", "not sent"],
        ]

    def test_nothing_personal_is_logged(self, sent_row, relay, caplog):
        """Not even by edx-ace, which logs what the mail server says about the learner's address."""
        relay.replies[LEARNER] = f"550 <{LEARNER}> is unknown here"
        with caplog.at_level(logging.INFO):
            assert bounce(sent_row)
        text = "".join(
            line.getMessage() for line in caplog.records if line.name != "mail.log"
        )  # the tests' mail server
        assert f"credit request {sent_row.pk}: learner email (bounced): not sent: SMTPRecipientsRefused 550" in text
        for personal in ("halima", "Khan", "home.example", "registrar"):
            assert personal not in text

    def test_the_log_of_the_hosts_emails_is_kept(self, sent_row, relay, caplog):
        logger = logging.getLogger("edx_ace.channel.django_email")
        relay.on_data = lambda: logger.error("from another thread")
        assert bounce(sent_row)
        logger.error("from this thread, later")
        assert ("from another thread" in caplog.text, "from this thread" in caplog.text) == (True, True)

    @pytest.mark.parametrize("error", [LookupError("Halima"), OperationalError("Halima")])
    def test_an_error_of_the_host_is_not_raised(self, error, sent_row, relay, monkeypatch, caplog):
        def learner_language(self, user):
            raise error

        monkeypatch.setattr(FixedRecordSource, "learner_language", learner_language)
        assert bounce(sent_row)
        assert relay.messages == []
        assert f"learner email (bounced): not sent: {type(error).__name__}" in caplog.text
        assert "Halima" not in caplog.text

    @pytest.mark.usefixtures("all_emails")
    def test_an_error_after_a_click_is_not_seen(self, client, program, pathway, relay):
        relay.replies[LEARNER] = "550 no such user"
        url = reverse("credit_pathways:send", args=[program.uuid])
        body = {"username": "halima", "pathway_id": pathway.pk}
        answer = client.post(url, body, content_type="application/json")
        assert (answer.status_code, answer.json()["status"], recipients(relay)) == (200, "sent", [INSTITUTION])

    @pytest.mark.usefixtures("all_emails")
    def test_all_institutions_come_first(self, client, program, pathway, relay):
        pathways = [pathway, *factories.PathwayFactory.create_batch(2, programs=[program])]
        url = reverse("credit_pathways:request_credit", args=[program.uuid])
        client.post(url, {"pathway": [each.pk for each in pathways]})
        assert sorted(recipients(relay)[:3]) == sorted(each.email for each in pathways)
        assert recipients(relay)[3:] == [LEARNER] * 3
        assert [mail["Auto-Submitted"] for mail in relay.messages] == [None] * 3 + ["auto-generated"] * 3

    @pytest.mark.usefixtures("all_emails")
    def test_all_institutions_come_first_in_a_retry_by_staff(self, request_row, relay, log_in_staff):
        other = factories.UserCreditPathwayFactory(
            user=request_row.user, program=request_row.program, pathway=request_row.pathway
        )
        staff = log_in_staff("view_usercreditpathway", "deliver_usercreditpathway")
        url = reverse("admin:credit_pathways_usercreditpathway_deliver_again")
        staff.post(url, {"id": [request_row.pk, other.pk]})
        assert recipients(relay) == [INSTITUTION, INSTITUTION, LEARNER, LEARNER]

    def test_a_click_has_a_limited_time_for_all_emails(self, client, program, pathway, relay, settings, monkeypatch):
        settings.CREDIT_PATHWAYS_LEARNER_EMAILS = "all"
        monkeypatch.setattr(sending, "MAX_DELIVERY_SECONDS", 0.2)
        relay.delay = 0.3
        url = reverse("credit_pathways:request_credit", args=[program.uuid])
        client.post(url, {"pathway": [pathway.pk]})
        assert recipients(relay) == [INSTITUTION]

    def test_a_retry_by_staff_takes_a_limited_time(self, request_row, relay, log_in_staff, monkeypatch, caplog):
        monkeypatch.setattr(sending, "MAX_DELIVERY_SECONDS", 0.1)
        relay.replies[INSTITUTION] = "550 no such user"
        deliver = api.deliver
        monkeypatch.setattr(api, "deliver", lambda row: (deliver(row), time.sleep(0.2))[0])
        staff = log_in_staff("view_usercreditpathway", "deliver_usercreditpathway")
        staff.post(reverse("admin:credit_pathways_usercreditpathway_deliver_again"), {"id": [request_row.pk]})
        assert (UserCreditPathway.objects.get().status, relay.messages) == ("failed", [])
        assert f"credit request {request_row.pk}: learner email (failed): not sent: no time left" in caplog.text

    def test_an_error_after_an_outcome_does_not_lose_its_email(self, sent_row, relay):
        with suppress(LookupError), learner_emails.held_back():
            assert bounce(sent_row)
            assert relay.messages == []
            raise LookupError
        assert recipients(relay) == [LEARNER]

    @pytest.mark.skipif("connection.vendor == 'sqlite'", reason="a connection to a file does not die")
    def test_the_connection_to_the_database_dies(self, sent_row, relay):
        other = factories.UserCreditPathwayFactory(
            user=sent_row.user, program=sent_row.program, pathway=sent_row.pathway, status="sent"
        )
        with learner_emails.held_back():
            assert bounce(sent_row)
            assert bounce(other)
            sessions.killer()()
        assert recipients(relay) == [LEARNER] * 2

    @pytest.mark.usefixtures("all_emails")
    def test_the_database_is_away_when_it_is_to_be_sent(self, request_row, relay, monkeypatch, caplog):
        def on_commit(function, using):
            raise OperationalError("away")

        monkeypatch.setattr(transaction, "on_commit", on_commit)
        learner_emails.tell(request_row.pk, Event.SENT)
        assert "learner email (sent): not sent: OperationalError" in caplog.text

    def test_it_is_logged(self, sent_row, relay, caplog):
        caplog.set_level(logging.INFO, logger="credit_pathways")
        assert bounce(sent_row)
        lines = [line.getMessage() for line in caplog.records if line.name.startswith("credit_pathways")]
        name = f"credit request {sent_row.pk}"
        assert lines == [f"{name}: bounced", f"{name}: learner email (bounced): sent"]

    def test_it_does_not_hold_the_row(self, sent_row, relay):
        """Another process can change the request while its learner's email is in flight."""
        seen = threading.Event()

        def change():
            assert UserCreditPathway.objects.filter(pk=sent_row.pk).update(attempts=7) == 1
            connection.close()
            seen.set()

        relay.on_data = change
        assert bounce(sent_row)
        assert (seen.is_set(), UserCreditPathway.objects.get().attempts) == (True, 7)
