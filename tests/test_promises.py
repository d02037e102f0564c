"""The delivery promises 1 to 4 and 6 (design, "Delivery promises"), tested against real SMTP servers."""

import gc
import logging
import time
import weakref
from datetime import timedelta
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models.signals import post_save
from django.dispatch import Signal
from django.urls import reverse
from edx_ace import ace
from edx_ace.channel import ChannelMap
from edx_ace.policy import Policy, PolicyResult

from credit_pathways import api
from credit_pathways.delivery import sending
from credit_pathways.models import Pathway, Program, ProgramCertRecord, UserCreditPathway
from credit_pathways.signals import credit_requested
from tests import factories
from tests.support import sessions, smtp
from tests.support.failures import FAILURES, BusyChannel
from tests.support.receivers import connected
from tests.support.record_source import FixedRecordSource
from tests.support.threads import run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)


def press_send(client, program, *pathways):
    """Submit the page's form, and return the page that follows."""
    url = reverse("credit_pathways:request_credit", args=[program.uuid])
    return client.post(url, {"pathway": [pathway.pk for pathway in pathways]}, follow=True)


def post_send(client, program, pathway):
    """Request credit like the front end."""
    body = {"username": "halima", "pathway_id": pathway.pk}
    return client.post(reverse("credit_pathways:send", args=[program.uuid]), body, content_type="application/json")


def statuses():
    return list(UserCreditPathway.objects.order_by("pk").values_list("status", flat=True))


def committed_rows():
    """Return the rows that another connection sees, which are the committed ones."""
    try:
        return list(UserCreditPathway.objects.order_by("pk").values_list("program__title", "status"))
    finally:
        connection.close()


class TestRecordedFirst:
    """Promise 1."""

    @pytest.mark.usefixtures("atomic_requests")
    def test_the_row_is_committed_before_the_email_is_sent(self, client, program, pathway, relay):
        seen = []
        relay.on_data = lambda: seen.append(committed_rows())
        press_send(client, program, pathway)
        post_send(client, program, pathway)
        assert seen == [[("Statistics", "pending")], [("Statistics", "sent"), ("Statistics", "pending")]]
        assert statuses() == ["sent", "sent"]

    def test_inside_a_transaction_of_the_caller_it_is_delivered_on_commit(self, learner, program, pathway, relay):
        seen = []
        relay.on_data = lambda: seen.append(committed_rows())
        with transaction.atomic():
            [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
            assert (request.status, relay.messages) == ("pending", [])
        assert request.status == "sent"
        assert seen == [[("Statistics", "pending")]]

    def test_if_the_transaction_of_the_caller_fails_there_is_neither_row_nor_email(
        self, learner, program, pathway, relay
    ):
        with transaction.atomic():
            api.request_credit(user=learner, program=program, pathways=[pathway])
            transaction.set_rollback(True)
        assert (statuses(), relay.messages) == ([], [])

    @pytest.mark.skipif("not connection.features.has_select_for_update", reason="no row locks in this database")
    def test_delivery_inside_a_transaction_is_an_error(self, relay):
        request = factories.UserCreditPathwayFactory()
        with pytest.raises(RuntimeError), transaction.atomic():
            api.deliver(request)
        assert relay.messages == []


class TestSentIsTrue:
    """Promises 2 and 3: an unsent request is not recorded as sent, the learner is told, and the next request works."""

    @pytest.mark.usefixtures("atomic_requests")
    @pytest.mark.parametrize("name", FAILURES)
    def test_on_the_page(self, name, client, program, pathway, relay, failure):
        with getattr(failure, name)():
            page = press_send(client, program, pathway)
        assert statuses() == ["failed"]
        [message] = page.context["messages"]
        assert (message.level_tag, "could not be sent to Northfield" in str(message)) == ("error", True)
        assert "Please try again" in page.content.decode()
        page = press_send(client, program, pathway)
        [message] = page.context["messages"]
        assert (message.level_tag, statuses(), len(relay.messages)) == ("success", ["failed", "sent"], 1)

    @pytest.mark.usefixtures("atomic_requests")
    @pytest.mark.parametrize("name", FAILURES)
    def test_in_json(self, name, client, program, pathway, relay, failure):
        with getattr(failure, name)():
            answer = post_send(client, program, pathway)
        row = UserCreditPathway.objects.get()
        assert (answer.status_code, answer.json()) == (502, {"id": row.pk, "status": "failed"})
        assert row.status == "failed"
        answer = post_send(client, program, pathway)
        row = UserCreditPathway.objects.latest("pk")
        assert (answer.status_code, answer.json()) == (200, {"id": row.pk, "status": "sent"})
        assert (row.status, len(relay.messages)) == ("sent", 1)

    @pytest.mark.parametrize("name", FAILURES)
    def test_inside_a_transaction_of_the_caller(self, name, learner, program, pathway, failure):
        with getattr(failure, name)(), transaction.atomic():
            [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        assert (request.status, statuses()) == ("failed", ["failed"])
        with transaction.atomic():
            [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        assert (request.status, statuses()) == ("sent", ["failed", "sent"])

    @pytest.mark.usual_users
    def test_after_a_transaction_of_the_caller_by_email(self, learner, program, pathway, relay):
        """The response may be written already."""
        relay.replies[pathway.email] = "550 no such user"
        with transaction.atomic():
            api.request_credit(user=learner, program=program, pathways=[pathway])
        assert (statuses(), [message["To"] for message in relay.messages]) == (["failed"], [learner.email])

    def test_one_failure_does_not_affect_the_others(self, client, program, pathway, relay):
        refused = factories.PathwayFactory(name="A", email="nobody@refused.example", programs=[program])
        relay.replies["nobody@refused.example"] = "550 no such user"
        page = press_send(client, program, refused, pathway)
        assert [message.level_tag for message in page.context["messages"]] == ["error", "success"]
        assert sorted(statuses()) == ["failed", "sent"]

    def test_a_report_of_another_message_does_not_count(self, learner, program, pathway, ace_plugins, relay):
        class SendsAnother(BusyChannel):
            def deliver(self, message, rendered_message):
                from edx_ace.utils.signals import send_ace_message_sent_signal

                message.uuid, uuid = program.uuid, message.uuid
                send_ace_message_sent_signal(self, message)
                message.uuid = uuid
                super().deliver(message, rendered_message)

        ace_plugins(channels=ChannelMap([["django_email", SendsAnother(timedelta(seconds=10))]]))
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        assert request.status == "failed"

    def test_an_error_of_the_host_after_the_report_does_not_change_the_status(
        self, learner, program, pathway, relay, monkeypatch
    ):
        """The app is edx-ace's last receiver, so an error of the host is only possible after ``ace.send``."""
        ace_send = ace.send

        def send_then_fail(message):
            ace_send(message)
            raise ValueError("a receiver of the host")

        monkeypatch.setattr(ace, "send", send_then_fail)
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        assert (request.status, len(relay.messages)) == ("sent", 1)

    def test_a_blank_address_is_not_recorded_as_sent(self, learner, program, pathway, relay):
        """Django's email backends report success for an email without recipients."""
        request = factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway)
        api.share_record(user=learner, program=program)
        pathway.email = ""
        pathway.save()
        assert api.deliver(request) == "failed"
        assert statuses() == ["failed"]

    @pytest.mark.parametrize("name", ["rcpt_550", "unknown_host", "policy_denies", "channel_error"])
    def test_the_app_logs_no_personal_data(self, name, client, program, pathway, failure, caplog):
        caplog.set_level(logging.DEBUG, logger="credit_pathways")
        with getattr(failure, name)():
            press_send(client, program, pathway)
        lines = [record.getMessage() for record in caplog.records if record.name.startswith("credit_pathways")]
        assert lines
        assert not any("halima" in line.lower() or "khan" in line.lower() for line in lines)


class TestTime:
    """Promise 3: a click gets its answer before a web server's usual 30 s."""

    @pytest.fixture(autouse=True)
    def _limits(self, settings, monkeypatch):
        """A twentieth of the real ones."""
        monkeypatch.setattr(sending, "MAX_DELIVERY_SECONDS", 0.75)
        settings.EMAIL_TIMEOUT = 0.5

    def test_a_silent_relay_and_five_pathways(self, client, program, pathway, settings):
        pathways = [pathway, *factories.PathwayFactory.create_batch(4, programs=[program])]
        with smtp.misbehaving_server(b"", hangs=True) as settings.EMAIL_PORT:
            settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1"
            page = press_send(client, program, *pathways)
        assert [message.level_tag for message in page.context["messages"]] == ["error"] * 5
        assert page.content.decode().count("Please try again") == 5
        rows = list(UserCreditPathway.objects.order_by("-attempts").values_list("status", "attempts", "failure_reason"))
        assert rows[0] == ("failed", 1, f"{sending.NOT_SENT} (SMTPServerDisconnected)")
        assert rows[2:] == [("failed", 0, sending.NOT_STARTED)] * 3

    def test_it_is_counted_from_the_beginning(self, client, program, pathway, relay, monkeypatch):
        progress = FixedRecordSource.progress
        monkeypatch.setattr(FixedRecordSource, "progress", lambda *args: (time.sleep(0.8), progress(*args))[1])
        assert post_send(client, program, pathway).status_code == 502
        assert (statuses(), relay.messages) == (["failed"], [])

    def test_it_is_counted_from_the_commit_of_the_caller(self, learner, program, pathway, relay):
        with transaction.atomic():
            api.request_credit(user=learner, program=program, pathways=[pathway])
            time.sleep(0.8)
        assert (statuses(), len(relay.messages)) == (["sent"], 1)


class TestTroubleWithOneRequest:
    """Promise 3: it never affects the others."""

    @pytest.mark.skipif("connection.vendor == 'sqlite'", reason="a connection to a file does not die")
    @pytest.mark.parametrize("moment", ["after commit", "in flight"])
    def test_the_connection_to_the_database_dies(self, moment, client, program, pathway, relay):
        kill = sessions.killer()
        killed = []

        def die(**kwargs):
            if not killed:
                killed.append(kill())

        pathways = [pathway, *factories.PathwayFactory.create_batch(2, programs=[program])]
        relay.on_data = die if moment == "in flight" else relay.on_data
        with connected(credit_requested if moment == "after commit" else Signal(), die):
            page = press_send(client, program, *pathways)
        assert killed
        assert [message.level_tag for message in page.context["messages"]] == ["success"] * 3
        assert statuses() == ["sent"] * 3

    @pytest.mark.skipif("connection.vendor == 'sqlite'", reason="a connection to a file does not die")
    def test_the_connection_dies_after_the_claim(self, client, program, pathway, relay):
        kill, killed = sessions.killer(), []

        def wrapper(execute, sql, params, many, context):
            result = execute(sql, params, many, context)
            if sql.startswith("UPDATE") and "failure_reason" in sql and not killed:
                killed.append(kill())
            return result

        with connection.execute_wrapper(wrapper):
            assert post_send(client, program, pathway).status_code == 200
        assert killed
        assert statuses() == ["sent"]

    def test_the_outcome_cannot_be_recorded(self, client, program, pathway, relay, caplog):
        """The learner is told the truth. A second email, with the same Message-ID, may follow."""

        def away(execute, sql, params, many, context):
            if "UPDATE" in sql and "sent_to" in sql:
                raise OperationalError("away")
            return execute(sql, params, many, context)

        with connection.execute_wrapper(away):
            assert post_send(client, program, pathway).json()["status"] == "sent"
        assert (statuses(), len(relay.messages)) == (["pending"], 1)
        assert "sent, but not recorded: OperationalError" in caplog.text

    @pytest.mark.parametrize("error", [LookupError("Halima"), IntegrityError("Halima")])
    def test_a_function_of_the_host_for_on_commit_raises(self, error, client, program, pathway, relay, caplog):
        def fail():
            raise error

        def receiver(**kwargs):
            transaction.on_commit(fail)

        with connected(post_save, receiver, sender=UserCreditPathway):
            assert post_send(client, program, pathway).status_code == 200
        assert (statuses(), len(relay.messages)) == (["sent"], 1)
        assert f"a function for on_commit raised {type(error).__name__}" in caplog.text

    def test_another_process_delivers_it_first(self, client, program, pathway, relay):
        def receiver(**kwargs):
            run_concurrently(1, lambda: call_command("deliver_pending", older_than=0, stdout=StringIO()))

        with connected(credit_requested, receiver):
            assert post_send(client, program, pathway).json()["status"] == "sent"
        assert len(relay.messages) == 1

    def test_a_receiver_of_the_host_raises(self, client, program, pathway, relay, caplog):
        """Django would log the text of its error, and email it to ADMINS."""

        def fail(**kwargs):
            raise LookupError("Halima")

        with connected(credit_requested, fail):
            assert post_send(client, program, pathway).status_code == 200
        assert "fail raised LookupError" in caplog.text
        assert "Halima" not in caplog.text

    def test_a_receiver_of_the_host_without_a_name_raises(self, client, program, pathway, relay, caplog):
        """Django cannot log that: a partial has no ``__qualname__``."""

        def fail(**kwargs):
            raise LookupError

        receiver = partial(fail)
        with connected(credit_requested, receiver, weak=False):
            assert post_send(client, program, pathway).status_code == 200
        assert f"credit request {UserCreditPathway.objects.get().pk}: a receiver raised AttributeError" in caplog.text


class TestOneAttempt:
    """Promise 4."""

    @pytest.mark.parametrize("delay", [-1, 0, 0.2, 1, 10, 600], ids="{} s".format)
    def test_a_channel_that_asks_for_another_attempt_gets_none(
        self, delay, learner, program, pathway, ace_plugins, monkeypatch
    ):
        slept = []
        sleep = time.sleep
        monkeypatch.setattr("edx_ace.delivery.time.sleep", lambda seconds: (slept.append(seconds), sleep(seconds)))
        channel = BusyChannel(timedelta(seconds=delay))
        ace_plugins(channels=ChannelMap([["django_email", channel]]))
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        assert (request.status, channel.attempts) == ("failed", 1)
        assert sum(slept) < 0.5

    def test_slow_preparation_does_not_use_up_the_attempt(self, learner, program, pathway, relay, ace_plugins):
        class SlowPolicy(Policy):
            def check(self, message):
                time.sleep(0.2)
                return PolicyResult()

        ace_plugins(policies=[SlowPolicy()])
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        assert (request.status, len(relay.messages)) == ("sent", 1)


def receivers_of(module: str) -> list[Any]:
    """Return all receivers of Django signals, in this process, that are defined in ``module`` or below it."""
    signals = [found for found in gc.get_objects() if issubclass(type(found), Signal)]
    receivers = [entry[1] for signal in signals for entry in signal.receivers]
    functions = [found() if isinstance(found, weakref.ref) else found for found in receivers]
    return [found for found in functions if getattr(found, "__module__", "").startswith(module)]


class TestNeverOnTheLearnersBehalf:
    """Promise 6."""

    def test_the_app_connects_no_receiver(self, learner, program, pathway, relay):
        api.request_credit(user=learner, program=program, pathways=[pathway])
        assert len(relay.messages) == 1
        assert receivers_of("credit_pathways") == []
        assert receivers_of("django.") != []

    def test_saving_and_deleting_rows_sends_nothing(self, learner, program, pathway, relay):
        request = factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway)
        shared = factories.ProgramCertRecordFactory(user=learner, program=program)
        for row in (request, shared, pathway, program, learner):
            row.save()
        UserCreditPathway.objects.bulk_create([UserCreditPathway(user=learner, program=program, pathway=pathway)])
        for row in (request, shared):
            row.delete()
        learner.delete()
        for model in (UserCreditPathway, ProgramCertRecord, Pathway, Program):
            model.objects.all().delete()
        assert relay.messages == []

    def test_a_request_already_sent_is_never_sent_again(self, learner, program, pathway, relay):
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        stale = UserCreditPathway(pk=request.pk, user=learner, program=program, pathway=pathway, status="failed")
        assert api.deliver(request) == api.deliver(stale) == "sent"
        assert len(relay.messages) == 1

    @pytest.mark.parametrize("status", UserCreditPathway.Status.values)
    def test_a_row_without_a_program_is_never_delivered(self, status, learner, pathway, relay):
        request = factories.UserCreditPathwayFactory(user=learner, pathway=pathway, program=None, status=status)
        assert api.deliver(request) == status
        assert (statuses(), relay.messages) == ([status], [])

    @pytest.mark.parametrize("status", ["pending", "failed"])
    def test_one_that_was_never_sent_may_be_delivered_later(self, status, learner, program, pathway, relay):
        request = factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway, status=status)
        factories.ProgramCertRecordFactory(user=learner, program=program)
        assert api.deliver(request) == "sent"
        assert (statuses(), len(relay.messages)) == (["sent"], 1)

    @pytest.mark.usefixtures("no_learner_emails")
    def test_a_record_that_the_learner_no_longer_shares_is_not_shared_again(self, learner, program, pathway, relay):
        request = factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway)
        assert api.deliver(request) == "failed"
        assert (relay.messages, ProgramCertRecord.objects.count()) == ([], 0)
