"""``manage.py deliver_pending``."""

import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections
from django.utils import timezone

from credit_pathways.delivery import sending
from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support import sessions
from tests.support.record_source import FixedRecordSource
from tests.support.threads import run_concurrently

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_learner_emails")]


@pytest.fixture
def pending(learner, program, pathway):
    """Return a function that creates a pending request of some age in minutes."""
    factories.ProgramCertRecordFactory(user=learner, program=program)

    def create(minutes, **values):
        values = {"user": learner, "program": program, "pathway": pathway, **values}
        request = factories.UserCreditPathwayFactory(**values)
        created = timezone.now() - timedelta(minutes=minutes)
        UserCreditPathway.objects.filter(pk=request.pk).update(created=created)
        return request

    return create


def statuses():
    return list(UserCreditPathway.objects.order_by("pk").values_list("status", flat=True))


def test_delivers_requests_that_are_old_enough(pending, relay, capsys):
    requests = [pending(61), pending(59), pending(600)]
    call_command("deliver_pending", older_than=60)
    assert (statuses(), len(relay.messages)) == (["sent", "pending", "sent"], 2)
    assert capsys.readouterr().out.splitlines() == [
        f"credit request {requests[0].pk}: sent",
        f"credit request {requests[2].pk}: sent",
        "2 requests: 2 sent, 0 failed.",
    ]


def test_delivers_only_pending_requests_with_a_program(pending, relay, capsys):
    for values in ({"status": "failed"}, {"status": "sent"}, {"program": None}):
        pending(100, **values)
    call_command("deliver_pending", older_than=0)
    assert (statuses(), relay.messages) == (["failed", "sent", "pending"], [])
    assert capsys.readouterr().out == "0 requests: 0 sent, 0 failed.\n"


def test_a_failure_does_not_affect_other_requests(pending, relay, program, capsys):
    relay.replies["nobody@refused.example"] = "550 no such user"
    pending(100, pathway=factories.PathwayFactory(email="nobody@refused.example", programs=[program]))
    pending(100)
    with pytest.raises(CommandError, match="1 request failed"):
        call_command("deliver_pending", older_than=60)
    assert (statuses(), relay.rcpt_count) == (["failed", "sent"], 2)
    assert "2 requests: 1 sent, 1 failed." in capsys.readouterr().out


def test_a_dry_run_delivers_nothing(pending, relay, capsys):
    request = pending(100)
    call_command("deliver_pending", older_than=60, dry_run=True)
    assert (statuses(), relay.messages) == (["pending"], [])
    assert capsys.readouterr().out.splitlines() == [
        f"credit request {request.pk}: pending",
        "1 request to deliver (dry run).",
    ]


def test_two_concurrent_commands_deliver_each_request_once(pending, relay, capsys):
    for _number in range(12):
        pending(100)
    relay.on_data = lambda: threading.Event().wait(0.02)
    run_concurrently(2, lambda: call_command("deliver_pending", older_than=60))
    assert (statuses(), len(relay.messages)) == (["sent"] * 12, 12)
    handled = [line for line in capsys.readouterr().out.splitlines() if line.startswith("credit request")]
    assert len(handled) == len(set(handled)) == 12


def test_two_concurrent_commands_try_each_failing_request_once(pending, relay):
    for _number in range(12):
        pending(100)
    relay.replies["RCPT"] = "451 greylisted"

    def command():
        with pytest.raises(CommandError):
            call_command("deliver_pending", older_than=60)

    run_concurrently(2, command)
    assert (statuses(), relay.rcpt_count) == (["failed"] * 12, 12)


def test_a_request_that_a_killed_process_was_delivering_is_delivered_later(pending, relay):
    pending(100)
    UserCreditPathway.objects.update(attempts=1, modified=timezone.now() + timedelta(minutes=2))
    call_command("deliver_pending", older_than=60)
    assert statuses() == ["pending"]
    UserCreditPathway.objects.update(modified=timezone.now())
    call_command("deliver_pending", older_than=60)
    assert (statuses(), len(relay.messages)) == (["sent"], 1)


def test_a_request_that_kills_every_process_comes_last_and_fails(pending, relay, settings):
    settings.CREDIT_PATHWAYS_CELERY_ATTEMPTS = 3
    for _request in range(2):
        pending(100)
    killer = UserCreditPathway.objects.earliest("pk")
    UserCreditPathway.objects.filter(pk=killer.pk).update(attempts=3, modified=timezone.now())
    out = StringIO()
    with pytest.raises(CommandError, match="1 request failed"):
        call_command("deliver_pending", older_than=60, stdout=out)
    assert out.getvalue().splitlines()[1:] == [f"credit request {killer.pk}: failed", "2 requests: 1 sent, 1 failed."]
    killer.refresh_from_db()
    assert (killer.attempts, killer.failure_reason, len(relay.messages)) == (3, sending.INTERRUPTED, 1)


def test_an_error_of_the_database_does_not_affect_other_requests(pending, relay):
    def away(execute, sql, params, many, context):
        if "UPDATE" in sql and not struck:
            struck.append(sql)
            raise OperationalError("away")
        return execute(sql, params, many, context)

    pending(100), pending(100)
    struck = []
    with connection.execute_wrapper(away), pytest.raises(CommandError, match="The database reported an error"):
        call_command("deliver_pending", older_than=60)
    assert (statuses(), len(relay.messages)) == (["pending", "sent"], 1)


def test_a_request_deleted_in_the_meantime_does_not_affect_others(pending, relay):
    _first, second = pending(100), pending(100)
    relay.on_data = lambda: (UserCreditPathway.objects.filter(pk=second.pk).delete(), connection.close())
    call_command("deliver_pending", older_than=60)
    assert statuses() == ["sent"]


@pytest.mark.parametrize("minutes", ["-1", "soon", "1.5", "9" * 15])
def test_invalid_ages(minutes):
    with pytest.raises(CommandError, match="older-than"):
        call_command("deliver_pending", f"--older-than={minutes}")


def test_the_age_is_required():
    with pytest.raises(CommandError, match="older-than"):
        call_command("deliver_pending")


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="a connection to a file does not die")
@pytest.mark.django_db(transaction=True, databases=["default", "second"])
def test_the_connection_to_the_database_of_the_record_source_dies(pending, relay, monkeypatch):
    progress = FixedRecordSource.progress

    def query(self, user, program):
        with connections["second"].cursor() as cursor:
            cursor.execute("SELECT 1")
        return progress(self, user, program)

    monkeypatch.setattr(FixedRecordSource, "progress", query)
    requests = [pending(100) for _number in range(3)]
    sessions.killer("second")()
    with pytest.raises(CommandError):
        call_command("deliver_pending", older_than=0, stdout=StringIO())
    assert (statuses(), len(relay.messages)) == (["failed", "sent", "sent"], len(requests) - 1)


@pytest.mark.usual_users
def test_emails_to_learners_are_not_lost_if_a_later_request_kills_the_command(pending, relay, settings, monkeypatch):
    settings.CREDIT_PATHWAYS_LEARNER_EMAILS = "all"
    progress = FixedRecordSource.progress
    requests = [pending(100), pending(100)]

    def die(self, user, program):
        if UserCreditPathway.objects.filter(status="sent").exists():
            raise SystemExit
        return progress(self, user, program)

    monkeypatch.setattr(FixedRecordSource, "progress", die)
    with pytest.raises(SystemExit):
        call_command("deliver_pending", older_than=0, stdout=StringIO())
    assert statuses() == ["sent", "pending"]
    assert [mail["To"] for mail in relay.messages] == [requests[0].pathway.email, requests[0].user.email]
