"""What must hold after processes were killed or services were away."""

import re
from collections import Counter
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from credit_pathways.delivery import later
from credit_pathways.models import UserCreditPathway
from tests.support.threads import wait_until


def assert_nothing_lost(relay, *, duplicates):
    """Check that no row is pending, emails have rows, sent rows have emails, and duplicates share a Message-ID."""
    rows = dict(UserCreditPathway.objects.values_list("pk", "status"))
    assert set(rows.values()) <= {"sent", "failed"}
    message_ids = Counter(message["Message-ID"] for message in relay.messages)
    emailed = [int(re.match(r"<credit-request\.(\d+)\.", message_id)[1]) for message_id in message_ids]
    assert len(emailed) == len(set(emailed)), "two Message-IDs of one row"
    assert set(emailed) <= set(rows), "an email without a row"
    assert {pk for pk, status in rows.items() if status == "sent"} <= set(emailed), "recorded as sent, but not sent"
    assert max(message_ids.values(), default=0) <= 1 + duplicates
    return rows


def attempt(request_id):
    """Make a worker's next attempt, and return the request's status."""
    row = UserCreditPathway.objects.get(pk=request_id)
    later.attempt_delivery(request_id=request_id, queued_after=row.attempts)
    return UserCreditPathway.objects.get(pk=request_id).status


def run_first_attempt(task, args, expected):
    """Run the first attempt of a task as a worker does, and return the exception, with which the task ends."""
    task.push_request(args=args, kwargs={}, retries=0, called_directly=False, is_eager=False)
    try:
        with pytest.raises(expected) as error:
            task.run(*args)
    finally:
        task.pop_request()
    return error.value


def deliver_pending():
    """Deliver what killed processes left, like an operator, and return the number of requests."""
    # Whether a process was killed is unknown until the time of its attempt is up.
    wait_until(lambda: not UserCreditPathway.objects.filter(status="pending", modified__gt=timezone.now()).exists())
    out = StringIO()
    call_command("deliver_pending", older_than=0, stdout=out)
    return int(re.search(r"^(\d+) requests?:", out.getvalue(), re.MULTILINE)[1])
