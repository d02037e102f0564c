"""
Emails to learners about what happened to a request after the click (ADR 0021).

They are sent after the outcome was recorded and after the institutions' emails, by a worker if workers deliver. They
change nothing, and whatever goes wrong with them ends in a line of the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import partial
from threading import get_ident
from typing import Any

from django.conf import settings
from django.db import router, transaction
from django.utils import translation
from edx_ace.recipient import Recipient

from .. import conf
from ..links import receipt_url
from ..models import UserCreditPathway
from ..records import record_source, site_configuration
from ..sanitize import one_line
from . import broker
from .bounce_reasons import explain
from .message import CreditRequestMessage, header_text, is_header_address, message_id
from .sending import Change, describe, hand_over

log = logging.getLogger(__name__)

Status = UserCreditPathway.Status

#: The emails of the current ``held_back`` block, if there is one.
_held_back: ContextVar[list[tuple[int, Event]] | None] = ContextVar("held_back", default=None)


class Event(StrEnum):
    """What a learner is told about. Failures that learners see on the page are not among them."""

    SENT = "sent"
    FAILED = "failed"
    BOUNCED = "bounced"

    def is_true_of(self, credit_request: UserCreditPathway) -> bool:
        """Return whether the request is still in the state that the email would describe."""
        if self == Event.BOUNCED:
            return credit_request.bounced_at is not None
        return credit_request.status == self.value and credit_request.bounced_at is None


#: The events of each value of ``CREDIT_PATHWAYS_LEARNER_EMAILS``.
EVENTS = {"all": set(Event), "failures": {Event.FAILED, Event.BOUNCED}, "none": set()}


def after_delivery(credit_request: UserCreditPathway, change: Change | None) -> None:
    """Tell the learner about a delivery that was not part of the click: that it succeeded, or that it gave up."""
    if change and change.after == Status.SENT:
        tell(credit_request.pk, Event.SENT)
    elif change and (change.before, change.after) == (Status.PENDING, Status.FAILED):
        tell(credit_request.pk, Event.FAILED)


def tell(request_id: int, event: Event) -> None:
    """Email the learner about ``event`` after commit, if the settings say so. Never raises."""
    if event in EVENTS.get(str(conf.learner_emails()), ()):
        transaction.on_commit(partial(_send_or_queue, request_id, event))


@contextmanager
def held_back() -> Iterator[None]:
    """Send the emails of the block at its end, so that no institution's email in the block waits for them."""
    waiting: list[tuple[int, Event]] = []
    token = _held_back.set(waiting)
    try:
        yield
    finally:
        _held_back.reset(token)
        for request_id, event in waiting:
            _send_or_queue(request_id, event)


def _send_or_queue(request_id: int, event: Event) -> None:
    waiting = _held_back.get()
    if waiting is not None:
        waiting.append((request_id, event))
    elif conf.delivery() == "celery":
        broker.publish(broker.LEARNER_EMAIL_TASK, request_id, event)
    else:
        send(request_id, event)


def send(request_id: int, event: Event) -> bool:
    """Try once to send the email, and return whether nothing is left to do: it was sent, or there is none to send."""
    try:
        message = _message(request_id, event)
        with _without_edx_aces_log():
            was_sent = message is None or hand_over(message)
        detail = describe(message.error) if message and message.error else "no email channel accepted it"
    except Exception as error:  # noqa: BLE001  of the host, the mail server, or the database
        was_sent, detail = False, describe(error)
    if not was_sent:
        log.warning("credit request %s: learner not told: %s: %s", request_id, event, detail)
    elif message:
        log.info("credit request %s: learner told: %s", request_id, event)
    return was_sent


def _message(request_id: int, event: Event) -> CreditRequestMessage | None:
    """Return the email, or ``None`` if the learner cannot get it or it would no longer be true."""
    # A replica may not have the outcome yet.
    requests = UserCreditPathway.objects.using(router.db_for_write(UserCreditPathway))
    credit_request = requests.select_related("user", "pathway__site", "program").filter(pk=request_id).first()
    if credit_request is None or not event.is_true_of(credit_request):
        return None
    user = credit_request.user
    address = getattr(user, user.get_email_field_name(), "") or ""
    if not user.is_active or not is_header_address(address):
        return None
    site = credit_request.pathway.site
    language = record_source().learner_language(user) or settings.LANGUAGE_CODE
    with translation.override(language):
        context, from_address = _context(credit_request, event), site_configuration(site).from_address
    return CreditRequestMessage(
        app_label="credit_pathways",
        name="creditrequestoutcome",
        recipient=Recipient(lms_user_id=getattr(user, "lms_user_id", None), email_address=address),
        language=language,
        context=context,
        options={"from_address": from_address, "transactional": conf.has_transactional_channel()},
        headers={
            "Message-ID": message_id(f"credit-request-{event}", credit_request, site),
            "Auto-Submitted": "auto-generated",  # so that no out-of-office reply comes back (RFC 3834)
        },
    )


def _context(credit_request: UserCreditPathway, event: Event) -> dict[str, Any]:
    pathway, program, site = credit_request.pathway, credit_request.program, credit_request.pathway.site
    return {
        "event": event.value,
        "request_number": str(credit_request.pk),  # a number would be formatted: 1,234
        "institution": header_text(pathway.org_name),
        "pathway_name": header_text(pathway.name),
        "program_title": header_text(program.title) if program else "",
        "platform_name": header_text(site_configuration(site).platform_name),
        "bounce_explanation": explain(credit_request.bounce_reason),
        "description": "\n".join(one_line(line) for line in pathway.description.splitlines()),
        "next_steps_url": pathway.next_steps_url,
        "receipt_url": receipt_url(site, credit_request),
    }


@contextmanager
def _without_edx_aces_log() -> Iterator[None]:
    """Keep the mail server's reply out of the log, because it may name the learner's address."""
    logger, thread = logging.getLogger("edx_ace.channel.django_email"), get_ident()

    def is_from_elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger.addFilter(is_from_elsewhere)
    try:
        yield
    finally:
        logger.removeFilter(is_from_elsewhere)
