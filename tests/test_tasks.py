"""The Celery task, run in the test process. tests/services runs it in a real worker."""

import logging
import threading
import time
from datetime import datetime, timedelta

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from celery.exceptions import Reject, Retry
from celery.signals import task_retry
from django.db import OperationalError, connection
from django.utils import timezone
from edx_ace import ace

from credit_pathways import api, tasks
from credit_pathways.delivery import broker, later, sending
from credit_pathways.models import UserCreditPathway
from credit_pathways.tasks import deliver_credit_request, send_learner_email
from tests.support.celery_app import app
from tests.support.outcomes import attempt, run_first_attempt
from tests.support.receivers import connected
from tests.support.record_source import FixedRecordSource
from tests.support.threads import run_concurrently, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_learner_emails")]


@pytest.fixture(autouse=True)
def _four_attempts(settings):
    settings.CREDIT_PATHWAYS_CELERY_ATTEMPTS = 4


def attempts_of(request_id):
    return UserCreditPathway.objects.get(pk=request_id).attempts


def run(request_id):
    """Run the task and all its retries without waiting. Return the row's status and the requested pauses."""
    pauses = []

    def listen(reason, **kwargs):
        pauses.append(reason.when)

    with connected(task_retry, listen, weak=False):
        deliver_credit_request.apply([request_id, attempts_of(request_id)]).get()
    return UserCreditPathway.objects.get(pk=request_id).status, pauses


class TestAttempts:
    def test_one_is_enough_if_the_relay_accepts_the_email(self, request_row, relay):
        assert run(request_row.pk) == ("sent", [])
        assert [mail["To"] for mail in relay.messages] == [request_row.pathway.email]

    def test_a_greylisting_relay_accepts_the_third(self, request_row, relay):
        relay.greylist(2)
        status, pauses = run(request_row.pk)
        assert (status, len(pauses), relay.rcpt_count, len(relay.messages)) == ("sent", 2, 3, 1)

    def test_it_fails_when_they_run_out(self, request_row, relay):
        relay.replies["RCPT"] = "550 no such user"
        status, pauses = run(request_row.pk)
        assert (status, len(pauses), relay.rcpt_count) == ("failed", 3, 4)

    def test_the_request_is_pending_between_attempts(self, request_row, relay):
        relay.replies["RCPT"] = "451 greylisted"
        assert attempt(request_row.pk) == "pending"

    def test_all_have_the_same_message_id(self, request_row, relay):
        """The connection breaks after the relay has accepted the email, so it is sent again."""
        relay.accept_and_disconnect(2)
        assert run(request_row.pk)[0] == "sent"
        assert len(relay.messages) == 3
        assert len({mail["Message-ID"] for mail in relay.messages}) == 1

    def test_the_pauses_double_up_to_a_limit_and_vary(self, settings):
        settings.CREDIT_PATHWAYS_CELERY_BACKOFF = 100
        for number, longest in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 900), (5000, 900)]:
            pauses = [tasks._pause_after(number) for _time in range(50)]
            assert longest / 2 <= min(pauses) < max(pauses) <= longest
            assert len(set(pauses)) > 40


class TestNotRetried:
    def test_a_request_that_was_sent(self, request_row, relay):
        assert run(request_row.pk) == run(request_row.pk) == ("sent", [])
        assert len(relay.messages) == 1

    def test_a_failed_request_whose_learner_was_told(self, request_row, relay):
        UserCreditPathway.objects.update(status="failed")
        assert run(request_row.pk) == ("failed", [])
        assert relay.messages == []

    def test_a_request_without_a_program(self, request_row, relay):
        UserCreditPathway.objects.update(program=None)
        assert run(request_row.pk) == ("pending", [])
        assert relay.messages == []

    def test_a_deleted_request(self, request_row, relay):
        request_row.delete()
        deliver_credit_request.apply([request_row.pk]).get()
        assert relay.messages == []

    def test_a_record_that_is_no_longer_shared(self, request_row, relay):
        api.revoke_record(user=request_row.user, program=request_row.program)
        assert run(request_row.pk) == ("failed", [])

    def test_a_pathway_without_an_address(self, request_row, relay):
        request_row.pathway.email = ""
        request_row.pathway.save()
        assert run(request_row.pk) == ("failed", [])


class TestErrors:
    def test_of_the_record_source_are_retried(self, request_row, relay, monkeypatch, caplog):
        def progress(self, user, program):
            raise ValueError("no grades for Halima")

        monkeypatch.setattr(FixedRecordSource, "progress", progress)
        status, pauses = run(request_row.pk)
        assert (status, len(pauses)) == ("failed", 3)
        lines = [line.getMessage() for line in caplog.records if line.name.startswith("credit_pathways")]
        assert f"credit request {request_row.pk}: ValueError" in lines
        assert "Halima" not in "".join(lines)

    def test_of_the_database_lose_nothing(self, request_row, relay):
        def away(execute, sql, params, many, context):
            raise OperationalError("away")

        with connection.execute_wrapper(away):
            for _time in range(10):
                assert later.attempt_delivery(request_id=request_row.pk, queued_after=0) == 0
        assert run(request_row.pk) == ("sent", [])

    def test_the_time_limit_before_the_email_is_sent_is_retried(self, request_row, relay, monkeypatch):
        def strike(message):
            raise SoftTimeLimitExceeded

        with monkeypatch.context() as patch:
            patch.setattr(ace, "send", strike)
            assert attempt(request_row.pk) == "pending"
        assert attempt(request_row.pk) == "sent"

    def test_the_time_limit_after_the_email_is_sent_does_not_undo_it(self, request_row, relay):
        struck = []

        def strike(execute, sql, params, many, context):
            result = execute(sql, params, many, context)
            if sql.startswith("UPDATE") and "sent_to" in sql and not struck:
                struck.append(sql)
                raise SoftTimeLimitExceeded
            return result

        with connection.execute_wrapper(strike):
            assert attempt(request_row.pk) == "sent"
        assert (struck != [], UserCreditPathway.objects.get().status, len(relay.messages)) == (True, "sent", 1)

    def test_the_next_attempt_has_the_pause_and_the_limits(self, request_row, relay, settings):
        settings.CREDIT_PATHWAYS_CELERY_BACKOFF, settings.CREDIT_PATHWAYS_CELERY_TIME_LIMIT = 100, 77
        relay.replies["RCPT"] = "451 greylisted"
        began = timezone.now()
        run_first_attempt(deliver_credit_request, [request_row.pk], Retry)
        with app.connection() as broker, broker.SimpleQueue("credit_pathways") as queue:
            message = queue.get(block=False)
            queue.clear()
        pause = datetime.fromisoformat(message.headers["eta"]) - began
        assert 50 <= pause.total_seconds() <= 110
        assert (message.headers["retries"], message.headers["timelimit"]) == (1, [107, 77])
        assert message.payload[0] == [request_row.pk, 1]

    def test_a_row_that_fails_just_before_it_is_locked_is_not_sent(self, request_row, relay, monkeypatch):
        progress = FixedRecordSource.progress

        def fail_first(self, user, program):
            UserCreditPathway.objects.update(status="failed")
            return progress(self, user, program)

        monkeypatch.setattr(FixedRecordSource, "progress", fail_first)
        assert attempt(request_row.pk) == "failed"
        assert relay.messages == []

    def test_of_the_host_do_not_reach_celerys_log(self, request_row, relay, monkeypatch, caplog):
        def progress(self, user, program):
            raise ValueError("no grades for Halima")

        def away(execute, sql, params, many, context):
            if "UPDATE" in sql and "status" in sql:
                raise OperationalError("away")
            return execute(sql, params, many, context)

        monkeypatch.setattr(FixedRecordSource, "progress", progress)
        with connection.execute_wrapper(away):
            run_first_attempt(deliver_credit_request, [request_row.pk], Retry)
        assert f"credit request {request_row.pk}: OperationalError" in caplog.text
        assert "Halima" not in caplog.text

    def test_a_broker_that_refuses_the_next_attempt_keeps_this_one(self, request_row, relay, settings, monkeypatch):
        relay.replies["RCPT"] = "451 greylisted"
        monkeypatch.setattr(broker, "BROKER_TIMEOUT", 0.2)
        settings.CELERY_BROKER_URL = "amqp://127.0.0.1:1//"
        monkeypatch.setattr(tasks, "MAX_SLEEP", 0.2)
        began = time.monotonic()
        rejection = run_first_attempt(deliver_credit_request, [request_row.pk], Reject)
        assert time.monotonic() - began >= 0.1
        assert rejection.requeue
        relay.replies.clear()
        assert later.attempt_delivery(request_id=request_row.pk, queued_after=0) is None
        assert UserCreditPathway.objects.get().status == "sent"

    def test_the_soft_time_limit_strikes_in_the_pause_after_that(self, request_row, relay, settings, monkeypatch):
        def strike(seconds):
            raise SoftTimeLimitExceeded

        relay.replies["RCPT"] = "451 greylisted"
        monkeypatch.setattr(broker, "BROKER_TIMEOUT", 0.2)
        settings.CELERY_BROKER_URL = "amqp://127.0.0.1:1//"
        monkeypatch.setattr(tasks.time, "sleep", strike)
        assert run_first_attempt(deliver_credit_request, [request_row.pk], Reject).requeue

    def test_an_error_after_the_outcome_was_recorded(self, request_row, relay):
        """Nobody knows whether it was. The next message must not be taken for a copy."""

        def lose_connection(execute, sql, params, many, context):
            result = execute(sql, params, many, context)
            if sql.startswith("UPDATE") and "status" in sql.partition("WHERE")[0]:
                raise OperationalError("lost")
            return result

        relay.replies["RCPT"] = "451 greylisted"
        with connection.execute_wrapper(lose_connection):
            queued_after = later.attempt_delivery(request_id=request_row.pk, queued_after=0)
        relay.replies.clear()
        assert later.attempt_delivery(request_id=request_row.pk, queued_after=queued_after) is None
        assert UserCreditPathway.objects.get().status == "sent"

    def test_an_email_that_was_sent_and_not_recorded_is_sent_again(self, request_row, relay, settings):
        """After the attempt's time. Receivers can drop the second one."""

        def away(execute, sql, params, many, context):
            if "UPDATE" in sql and "sent_to" in sql:
                raise OperationalError("away")
            return execute(sql, params, many, context)

        settings.CREDIT_PATHWAYS_CELERY_TIME_LIMIT = 1
        with connection.execute_wrapper(away):
            assert later.attempt_delivery(request_id=request_row.pk, queued_after=0) == 1
        assert later.attempt_delivery(request_id=request_row.pk, queued_after=1) == 1
        wait_until(lambda: later.attempt_delivery(request_id=request_row.pk, queued_after=1) is None)
        assert UserCreditPathway.objects.get().status == "sent"
        first, second = relay.messages
        assert first["Message-ID"] == second["Message-ID"]


class TestCopies:
    """Brokers may deliver a message again: Redis after its visibility timeout, any broker if a worker is lost."""

    @pytest.fixture(autouse=True)
    def _greylists(self, relay):
        relay.replies["RCPT"] = "451 greylisted"

    def test_a_copy_of_an_earlier_message_does_nothing(self, request_row, relay):
        for queued_after in (0, 1):
            assert later.attempt_delivery(request_id=request_row.pk, queued_after=queued_after) == queued_after + 1
        for queued_after in (0, 1):
            assert later.attempt_delivery(request_id=request_row.pk, queued_after=queued_after) is None
        assert (relay.rcpt_count, attempts_of(request_row.pk)) == (2, 2)

    def test_unless_the_next_attempt_is_overdue(self, request_row, relay):
        """Redis loses a message that a killed worker had just received."""
        assert later.attempt_delivery(request_id=request_row.pk, queued_after=0) == 1
        UserCreditPathway.objects.update(modified=timezone.now() - timedelta(seconds=61))
        assert later.attempt_delivery(request_id=request_row.pk, queued_after=0) == 2
        assert later.attempt_delivery(request_id=request_row.pk, queued_after=1) is None
        assert (relay.rcpt_count, attempts_of(request_row.pk)) == (2, 2)

    def test_a_copy_waits_for_an_attempt_that_has_not_ended(self, request_row, relay, monkeypatch):
        """It cannot know whether the worker was killed until the attempt's time is up."""
        progress, again_after = FixedRecordSource.progress, []

        def receive_a_copy(self, user, program):
            again_after.append(later.attempt_delivery(request_id=request_row.pk, queued_after=0))
            return progress(self, user, program)

        monkeypatch.setattr(FixedRecordSource, "progress", receive_a_copy)
        assert later.attempt_delivery(request_id=request_row.pk, queued_after=0) == 1
        assert (again_after, relay.rcpt_count, attempts_of(request_row.pk)) == ([0], 1, 1)

    def test_putting_it_back_keeps_the_claim_of_another_process(self, request_row):
        UserCreditPathway.objects.update(attempts=1, modified=timezone.now() + timedelta(seconds=60))
        before = UserCreditPathway.objects.values().get()
        later.put_back(request_row.pk)
        assert UserCreditPathway.objects.values().get() == before

    def test_the_message_of_a_killed_attempt_is_not_stale(self, request_row, relay):
        UserCreditPathway.objects.update(attempts=1, modified=timezone.now() + timedelta(seconds=60))
        assert later.attempt_delivery(request_id=request_row.pk, queued_after=0) == 0
        UserCreditPathway.objects.update(modified=timezone.now())
        assert later.attempt_delivery(request_id=request_row.pk, queued_after=0) == 2
        assert (relay.rcpt_count, attempts_of(request_row.pk)) == (1, 2)

    def test_an_attempt_that_outlives_its_time_does_not_undo_a_later_one(self, request_row, relay, monkeypatch):
        progress = FixedRecordSource.progress

        def take_too_long(self, user, program):
            monkeypatch.undo()
            UserCreditPathway.objects.update(modified=timezone.now())
            relay.replies.clear()
            assert later.attempt_delivery(request_id=request_row.pk, queued_after=0) is None
            return progress(self, user, program)

        monkeypatch.setattr(FixedRecordSource, "progress", take_too_long)
        assert later.attempt_delivery(request_id=request_row.pk, queued_after=0) == 0
        row = UserCreditPathway.objects.get()
        assert (row.status, row.attempts, len(relay.messages)) == ("sent", 2, 1)

    @pytest.mark.parametrize("reason", ["", "The email could not be sent (TimeoutError)"])
    def test_attempts_are_limited_even_if_each_kills_its_worker(self, reason, request_row, relay):
        UserCreditPathway.objects.update(attempts=4, failure_reason=reason, modified=timezone.now())
        assert later.attempt_delivery(request_id=request_row.pk, queued_after=4) is None
        row = UserCreditPathway.objects.get()
        assert (row.status, row.attempts, row.failure_reason) == ("failed", 4, reason or sending.INTERRUPTED)
        assert relay.rcpt_count == 0

    def test_the_last_attempt_is_not_given_up_while_it_may_be_in_flight(self, request_row):
        UserCreditPathway.objects.update(attempts=4, modified=timezone.now() + timedelta(seconds=60))
        assert later.attempt_delivery(request_id=request_row.pk, queued_after=3) == 3
        assert UserCreditPathway.objects.get().status == "pending"


class TestLock:
    @pytest.mark.skipif("not connection.features.has_select_for_update", reason="no row locks in this database")
    def test_a_duplicate_message_sends_one_email(self, request_row, relay):
        wait = threading.Event()
        relay.on_data = lambda: wait.wait(0.3)
        again_after = run_concurrently(2, lambda: later.attempt_delivery(request_id=request_row.pk, queued_after=0))
        assert (again_after.count(None), again_after.count(0), len(relay.messages)) == (1, 1, 1)
        assert attempts_of(request_row.pk) == 1

    @pytest.mark.skipif("not connection.features.has_select_for_update", reason="no row locks in this database")
    def test_giving_up_neither_waits_for_an_email_in_flight_nor_undoes_it(self, request_row, relay):
        in_flight, end = threading.Event(), threading.Event()
        relay.on_data = lambda: (in_flight.set(), end.wait(10))
        worker = threading.Thread(target=run_concurrently, args=[1, lambda: attempt(request_row.pk)])
        worker.start()
        assert in_flight.wait(10)
        assert sending.give_up(request_row, sending.NOT_QUEUED) is None
        assert request_row.status == "pending"
        end.set()
        worker.join()
        assert (UserCreditPathway.objects.get().status, len(relay.messages)) == ("sent", 1)


def test_the_task_is_acknowledged_late():
    task = deliver_credit_request
    assert (task.acks_late, task.reject_on_worker_lost, task.ignore_result) == (True, True, True)


def test_a_learners_email_is_acknowledged_late_but_does_not_come_back_from_a_lost_worker():
    task = send_learner_email
    assert (task.acks_late, bool(task.reject_on_worker_lost), task.ignore_result) == (True, False, True)


def test_the_log_has_the_id_the_attempt_and_the_pause(request_row, relay, settings, caplog):
    caplog.set_level(logging.INFO, logger="credit_pathways")
    settings.CREDIT_PATHWAYS_CELERY_BACKOFF = 0
    relay.greylist(1)
    run(request_row.pk)
    name = f"credit request {request_row.pk}"
    assert [line.getMessage() for line in caplog.records if line.name.startswith("credit_pathways")] == [
        f"{name}: pending",
        f"{name}: retrying in 0 s",
        f"{name}: sent",
    ]
