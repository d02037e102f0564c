"""
Emails to learners about what happened to a request after the click (ADR 0021).

They are sent after the outcome was recorded and after the institutions' emails, by a worker if workers deliver. They
never change a request, and their errors are only logged.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import partial
from typing import Any

from django.db import close_old_connections, transaction
from django.db.models import Q
from django.utils import translation
from edx_ace.recipient import Recipient

from .. import conf, database
from ..links import receipt_url
from ..models import UserCreditPathway, UserCreditPathwayQuerySet
from ..records import record_source, site_configuration
from ..sanitize import one_line
from ..users import email_address
from . import broker
from .bounce_reasons import explain
from .handover import describe, hand_over
from .message import CreditRequestMessage, header_text, is_header_address, message_id
from .sending import Change

log = logging.getLogger(__name__)

Status = UserCreditPathway.Status

#: The emails of the current ``held_back`` block, if there is one. Not those that workers send.
_held_back: ContextVar[list[tuple[int, Event]] | None] = ContextVar("held_back", default=None)


class Event(StrEnum):
    """What learners get an email about. Failures that they see right after the click are not among them."""

    SENT = "sent"
    FAILED = "failed"
    BOUNCED = "bounced"

    @property
    def condition(self) -> Q:
        """Which requests are still in the state that the email would describe."""
        return Q(bounced_at__isnull=False) if self == Event.BOUNCED else Q(status=self.value, bounced_at=None)


#: The events of each value of ``CREDIT_PATHWAYS_LEARNER_EMAILS``.
EVENTS = {"all": set(Event), "failures": {Event.FAILED, Event.BOUNCED}, "none": set()}


def after_delivery(credit_request: UserCreditPathway, change: Change | None) -> None:
    """Tell the learner about a delivery that was not part of the click: that it succeeded, or that it gave up."""
    if change and change.after == Status.SENT:
        tell(credit_request.pk, Event.SENT)
    elif change and (change.before, change.after) == (Status.PENDING, Status.FAILED):
        tell(credit_request.pk, Event.FAILED)


def tell(request_id: int, event: Event) -> None:
    """Email the learner about ``event`` after commit, if the settings say so."""
    if event in EVENTS.get(str(conf.learner_emails()), ()):
        try:
            transaction.on_commit(partial(_send_or_queue, request_id, event), using=database.alias())
        except Exception as error:  # noqa: BLE001  of the database, or of another function for on_commit
            log.warning("%s: not sent: %s", log_name(request_id, event), type(error).__name__)


@contextmanager
def held_back(deadline: float = math.inf) -> Iterator[None]:
    """
    Send the emails of the block at its end, so that no institution's email in the block waits for them.

    None is started after ``deadline``, a time of ``time.monotonic()``.
    """
    waiting: list[tuple[int, Event]] = []
    token = _held_back.set(waiting)
    try:
        yield
    finally:
        _held_back.reset(token)
        for request_id, event in waiting:
            if time.monotonic() < deadline:
                send(request_id, event)
            else:
                log.warning("%s: not sent: no time left", log_name(request_id, event))


def _send_or_queue(request_id: int, event: Event) -> None:
    if conf.delivery() == "celery" and _queue(request_id, event):
        return
    if (waiting := _held_back.get()) is not None:
        waiting.append((request_id, event))
    else:
        send(request_id, event)


def _queue(request_id: int, event: Event) -> bool:
    """Return whether workers will send it. If not, this process makes the only attempt."""
    name = log_name(request_id, event)
    try:
        attempts = database.reconnect_once(_rows(request_id).values_list("learner_email_attempts", flat=True).get)
    except Exception as error:  # noqa: BLE001  of the database, or the row is gone
        log.warning("%s: not queued: %s", name, type(error).__name__)
        return False
    return broker.publish(broker.LEARNER_EMAIL_TASK, name, request_id, event, attempts)


def _rows(request_id: int) -> UserCreditPathwayQuerySet:
    # A replica may not have the outcome yet.
    return database.primary(UserCreditPathway.objects.filter(pk=request_id))


def attempt(request_id: int, event: Event, *, queued_after: int) -> bool:
    """
    Make a worker's attempt, because of a message that was queued after so many attempts.

    Copies of the message, which brokers may deliver later, do nothing. Return whether nothing is left to do.
    """
    # Not counted if it is not true any more: the message of the later event would be taken for a copy of this one.
    rows = _rows(request_id).filter(event.condition, learner_email_attempts__lte=queued_after)
    try:
        is_first = database.retry_once(lambda: rows.update(learner_email_attempts=queued_after + 1), atomic=False)
    except Exception as error:  # noqa: BLE001  of the database
        log.warning("%s: not sent: %s", log_name(request_id, event), type(error).__name__)
        close_old_connections()
        return False
    return send(request_id, event) if is_first else True


def send(request_id: int, event: Event) -> bool:
    """Try once to send the email, and return whether nothing is left to do: it was sent, or there is none to send."""
    name = log_name(request_id, event)
    try:
        credit_request = _request_to_tell(request_id, event)
        if credit_request is None:
            return True
        message = _message(credit_request, event)
        was_sent = hand_over(message)
        detail = describe(message.error) if message.error else "no email channel accepted it"
    except Exception as error:  # noqa: BLE001  of the host, the mail server, or the database
        was_sent, detail = False, describe(error)
        close_old_connections()
    if was_sent:
        log.info("%s: sent", name)
    else:
        log.warning("%s: not sent: %s", name, detail)
    return was_sent


def log_name(request_id: int, event: Event) -> str:
    """Return how the log names the email."""
    return f"credit request {request_id}: learner email ({event})"


def _request_to_tell(request_id: int, event: Event) -> UserCreditPathway | None:
    """Return the request, or ``None`` if the email would no longer be true or the learner cannot get it."""
    rows = _rows(request_id).filter(event.condition)
    credit_request = database.reconnect_once(rows.select_related("user", "pathway__site", "program").first)
    if credit_request is None:
        return None
    if credit_request.user.is_active and is_header_address(email_address(credit_request.user)):
        return credit_request
    log.info("%s: not sent: inactive account or no valid address", log_name(request_id, event))
    return None


def _message(credit_request: UserCreditPathway, event: Event) -> CreditRequestMessage:
    user, site = credit_request.user, credit_request.pathway.site
    language = conf.language_code(record_source().learner_language(user))
    with translation.override(language):
        configuration = site_configuration(site)
        context = {**_context(credit_request, event), "platform_name": header_text(configuration.platform_name)}
    return CreditRequestMessage(
        app_label="credit_pathways",
        name="creditrequestoutcome",
        recipient=Recipient(lms_user_id=getattr(user, "lms_user_id", None), email_address=email_address(user)),
        language=language,
        context=context,
        options={"from_address": configuration.from_address, "transactional": conf.has_transactional_channel()},
        headers={
            "Message-ID": message_id(f"credit-request-{event}", credit_request, site),
            "Auto-Submitted": "auto-generated",  # so that no out-of-office reply comes back (RFC 3834)
        },
    )


def _context(credit_request: UserCreditPathway, event: Event) -> dict[str, Any]:
    pathway, program = credit_request.pathway, credit_request.program
    return {
        "event": event.value,
        "request_number": str(credit_request.pk),  # a number would be formatted: 1,234
        "institution": header_text(pathway.org_name),
        "pathway_name": header_text(pathway.name),
        "program_title": header_text(program.title) if program else "",
        "bounce_explanation": explain(credit_request.bounce_reason),
        "description": "\n".join(one_line(line) for line in pathway.description.splitlines()),
        "next_steps_url": pathway.next_steps_url,
        "receipt_url": receipt_url(pathway.site, credit_request),
    }
