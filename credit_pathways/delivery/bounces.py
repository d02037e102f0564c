"""Recording that an email bounced (ADR 0021)."""

import itertools
import logging
import re
import unicodedata
from datetime import datetime
from functools import partial

from django.utils import timezone

from .. import database
from ..models import UserCreditPathway, is_storable_datetime
from ..sanitize import one_line
from ..users import Learner, email_address, full_name, username
from . import learner_emails

log = logging.getLogger(__name__)

#: The length of the column.
_MAX_REASON_LENGTH = 255


def record_bounce(*, request_id: int, reason: str, at: datetime | None = None) -> bool:
    """
    Record that a sent email came back. ``status`` stays ``sent``.

    ``reason`` is stored as one line of at most 255 characters; if it contains a status code (RFC 3463), pages explain
    it. ``at`` is an aware datetime and defaults to now. Return whether the bounce was recorded: ``False`` if the
    request does not exist, was never sent, or has already bounced.
    """
    # A time that no page can show is a mistake of the provider's.
    time = at if at and is_storable_datetime(at) else timezone.now()
    tries = itertools.count()

    def record() -> bool:
        return _record_bounce(request_id, reason or "", time, is_retry=next(tries) > 0)

    is_recorded = database.reconnect_once(partial(database.retry_once, record, atomic=database.has_row_locks()))
    if is_recorded:
        log.warning("credit request %s: bounced", request_id)
        learner_emails.tell(request_id, learner_emails.Event.BOUNCED)
    return is_recorded


def _record_bounce(request_id: int, reason: str, at: datetime, *, is_retry: bool) -> bool:
    rows = database.primary(UserCreditPathway.objects.filter(pk=request_id))
    # Waits for the delivery, because a report can be quicker than its end.
    list(rows.select_for_update())
    # Not in the same statement, which would lock the user's row, too.
    credit_request = rows.select_related("user").first()
    if credit_request is None:
        return False
    sent = rows.filter(status=UserCreditPathway.Status.SENT, bounced_at=None)
    # Not ``modified``, which is the time of sending.
    values = {"bounced_at": at, "bounce_reason": _without_personal_data(reason, credit_request.user)}
    try:
        with database.any_text():
            is_recorded = bool(sent.update(**values))
    except database.UnsupportedText:
        values["bounce_reason"] = str(values["bounce_reason"]).encode("ascii", "replace").decode()
        is_recorded = bool(sent.update(**values))
    # The first try may have been recorded, and its answer lost with the connection.
    return is_recorded or (is_retry and rows.filter(**values).exists())


def _normalize(text: str) -> str:
    # Some databases (utf8mb3) cannot store characters outside the Basic Multilingual Plane.
    return re.sub("[^\x00-\uffff]", "\ufffd", one_line(unicodedata.normalize("NFC", text)))


def _without_personal_data(reason: str, learner: Learner) -> str:
    """Return ``reason`` as one line without the learner's name and address, which spam filters may quote."""
    text = _normalize(reason)
    for personal in map(_normalize, (full_name(learner), email_address(learner), username(learner))):
        if personal:
            # A username that is a number is not replaced in a status code such as 5.1.1.
            dot = "." if personal.isdecimal() else ""
            text = re.sub(rf"(?<![\w{dot}]){re.escape(personal)}(?![\w{dot}])", "…", text, flags=re.IGNORECASE)
    return text[:_MAX_REASON_LENGTH]
