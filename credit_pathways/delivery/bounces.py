"""Recording that an email came back (ADR 0021)."""

import logging
import re
from datetime import datetime

from django.utils import timezone

from ..models import UserCreditPathway
from ..sanitize import one_line
from . import learner_emails

log = logging.getLogger(__name__)

#: The length of the column.
_MAX_REASON_LENGTH = 255


def record_bounce(*, request_id: int, reason: str, at: datetime | None = None) -> bool:
    """
    Record that the email of a request that was sent came back. ``status`` stays ``sent``.

    ``reason`` is stored as one line of at most 255 characters; where it contains a status code (RFC 3463), pages
    explain it. ``at`` is an aware time, now by default. Return whether the bounce was recorded: not if the request
    was never sent, its email has already come back, or there is no such request.
    """
    # Not ``modified``, which is the time of sending.
    sent = UserCreditPathway.objects.filter(pk=request_id, status=UserCreditPathway.Status.SENT, bounced_at=None)
    if not sent.update(bounced_at=at or timezone.now(), bounce_reason=_storable(reason)):
        return False
    log.warning("credit request %s: bounced", request_id)
    learner_emails.tell(request_id, learner_emails.Event.BOUNCED)
    return True


def _storable(reason: str) -> str:
    # Some databases (utf8mb3) cannot store characters outside the Basic Multilingual Plane.
    return re.sub("[^\x00-\uffff]", "\ufffd", one_line(reason))[:_MAX_REASON_LENGTH]
