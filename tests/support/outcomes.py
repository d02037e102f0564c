"""What must hold after processes were killed or services were away."""

import re
from collections import Counter
from io import StringIO

from django.core.management import call_command

from credit_pathways.models import UserCreditPathway


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


def deliver_pending():
    """Deliver what killed processes left, like an operator, and return the number of requests."""
    out = StringIO()
    call_command("deliver_pending", older_than=0, stdout=out)
    return int(re.search(r"^(\d+) requests?:", out.getvalue(), re.MULTILINE)[1])
