"""``manage.py deliver_pending``."""

import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from credit_pathways.delivery import later
from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pending(learner, program, pathway):
    """Return a function that makes a pending request of some age in minutes."""
    factories.ProgramCertRecordFactory(user=learner, program=program)

    def make(minutes, **values):
        values = {"user": learner, "program": program, "pathway": pathway, **values}
        request = factories.UserCreditPathwayFactory(**values)
        created = timezone.now() - timedelta(minutes=minutes)
        UserCreditPathway.objects.filter(pk=request.pk).update(created=created)
        return request

    return make


def statuses():
    return list(UserCreditPathway.objects.order_by("pk").values_list("status", flat=True))


def test_those_that_are_old_enough_are_delivered(pending, relay, capsys):
    requests = [pending(61), pending(59), pending(600)]
    call_command("deliver_pending", older_than=60)
    assert (statuses(), len(relay.mails)) == (["sent", "pending", "sent"], 2)
    assert capsys.readouterr().out.splitlines() == [
        f"credit request {requests[0].pk}: sent",
        f"credit request {requests[2].pk}: sent",
        "2 requests: 2 sent, 0 failed.",
    ]


def test_only_pending_ones_with_a_program_are(pending, relay, capsys):
    for values in ({"status": "failed"}, {"status": "sent"}, {"program": None}):
        pending(100, **values)
    call_command("deliver_pending", older_than=0)
    assert (statuses(), relay.mails) == (["failed", "sent", "pending"], [])
    assert capsys.readouterr().out == "0 requests: 0 sent, 0 failed.\n"


def test_one_that_does_not_leave_has_failed_and_stops_no_other(pending, relay, program, capsys):
    relay.answers["nobody@refused.example"] = "550 no such user"
    pending(100, pathway=factories.PathwayFactory(email="nobody@refused.example", programs=[program]))
    pending(100)
    with pytest.raises(CommandError, match="1 requests failed"):
        call_command("deliver_pending", older_than=60)
    assert (statuses(), relay.asked) == (["failed", "sent"], 2)
    assert "2 requests: 1 sent, 1 failed." in capsys.readouterr().out


def test_a_rehearsal_delivers_nothing(pending, relay, capsys):
    request = pending(100)
    call_command("deliver_pending", older_than=60, dry_run=True)
    assert (statuses(), relay.mails) == (["pending"], [])
    assert capsys.readouterr().out.splitlines() == [
        f"credit request {request.pk}: pending",
        "1 requests to deliver (dry run).",
    ]


def test_two_commands_at_once_handle_each_once(pending, relay, capsys):
    for _number in range(12):
        pending(100)
    relay.on_data = lambda: threading.Event().wait(0.02)
    at_once(2, lambda: call_command("deliver_pending", older_than=60))
    assert (statuses(), len(relay.mails)) == (["sent"] * 12, 12)
    handled = [line for line in capsys.readouterr().out.splitlines() if line.startswith("credit request")]
    assert len(handled) == len(set(handled)) == 12


def test_with_a_broken_relay_two_commands_at_once_try_each_once(pending, relay):
    for _number in range(12):
        pending(100)
    relay.answers["RCPT"] = "451 greylisted"

    def command():
        with pytest.raises(CommandError):
            call_command("deliver_pending", older_than=60)

    at_once(2, command)
    assert (statuses(), relay.asked) == (["failed"] * 12, 12)


def test_one_that_a_killed_command_had_claimed_comes_later(pending, relay):
    pending(100)
    UserCreditPathway.objects.update(modified=timezone.now() + later.CLAIM)
    call_command("deliver_pending", older_than=60)
    assert statuses() == ["pending"]
    UserCreditPathway.objects.update(modified=timezone.now())
    call_command("deliver_pending", older_than=60)
    assert (statuses(), len(relay.mails)) == (["sent"], 1)


def test_one_that_is_deleted_meanwhile_stops_no_other(pending, relay):
    _first, second = pending(100), pending(100)
    relay.on_data = lambda: (UserCreditPathway.objects.filter(pk=second.pk).delete(), connection.close())
    call_command("deliver_pending", older_than=60)
    assert statuses() == ["sent"]


@pytest.mark.parametrize("minutes", ["-1", "soon", "1.5", "9" * 15])
def test_the_age_is_a_number_of_minutes(minutes):
    with pytest.raises(CommandError, match="older-than"):
        call_command("deliver_pending", f"--older-than={minutes}")


def test_the_age_has_to_be_given():
    with pytest.raises(CommandError, match="older-than"):
        call_command("deliver_pending")
