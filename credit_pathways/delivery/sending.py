"""
One attempt to send the email of a credit request, and a truthful record of its outcome.

Where the database can, the row stays locked while its email is in flight, so that two deliveries cannot both send it.
The outcome is recorded even if that transaction is lost: the host's code runs in it, a slow mail server may outlast the
database's timeout, and Celery's time limit may strike.
"""

import logging
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_noop
from edx_ace import ace
from edx_ace.channel import Channel, ChannelType
from edx_ace.signals import ACE_MESSAGE_SENT

from ..models import ImportedRow, ProgramCertRecord, UserCreditPathway
from ..records import ProgramRecord, current_record
from .message import CreditRequestMessage, credit_request_message

log = logging.getLogger(__name__)

Status = UserCreditPathway.Status

# Stored as failure reasons, for staff. They are translated when shown; see UserCreditPathway.failure_label.
INACTIVE = gettext_noop("The learner's account is inactive")
NO_RECORD = gettext_noop("The learner has no record in the program")
NOT_SHARED = gettext_noop("The record is no longer shared")
NO_ADDRESS = gettext_noop("The pathway has no email address")
NO_CHANNEL = gettext_noop(
    "No email channel accepted the email: none is set up, the channel is busy, or a policy blocks it"
)
NOT_SENT = gettext_noop("The email could not be sent")
NOT_QUEUED = gettext_noop("The request could not be queued")
RETIRED = gettext_noop("The learner was retired")


class LockedRow(NamedTuple):
    """What the database says about a credit request while its row is locked."""

    status: str
    program_id: int | None
    is_imported: bool
    #: Whether the learner's account is active.
    is_active: bool
    #: Whether the record is still shared by the link that the email would contain.
    is_shared: bool

    def may_be_sent(self, from_statuses: Collection[Status]) -> bool:
        return self.status in from_statuses and self.program_id is not None and not self.is_imported


class Outcome(NamedTuple):
    """What became of one attempt, as it is recorded."""

    status: Status
    failure_reason: str = ""
    sent_to: str = ""


class Change(NamedTuple):
    """The status of a request before and after its outcome was recorded. They may be the same."""

    before: str
    after: Status


def send(
    credit_request: UserCreditPathway,
    record: ProgramRecord | None,
    *,
    from_statuses: Collection[Status],
    on_failure: Status = Status.FAILED,
) -> Change | None:
    """
    Send the email of a credit request, and record the outcome, also in ``credit_request``.

    Only a request with one of ``from_statuses`` is sent. Any other is left as it is, and so are requests without a
    program, imported requests, and a request that another process is delivering, which counts as pending: then the
    result is ``None``. If the email was not sent, the status becomes ``on_failure``. If there is nothing to send (see
    ``_obstacle``), the request fails, because a later attempt would not change that.

    Raises:
        RuntimeError: called inside a transaction, where the row may not be committed yet (promise 1). Not on SQLite,
            which is not locked here because its only lock would stop all other writers.
    """
    row, outcome = None, None
    try:
        with row_lock():
            row = _lock(credit_request, record)
            if row and row.may_be_sent(from_statuses):
                outcome = _attempt(credit_request, record, row, on_failure)
                _record_attempt(credit_request, outcome)
    except Exception:
        if outcome is None:
            raise
        _record_attempt(credit_request, outcome)
    return Change(row.status, outcome.status) if row and outcome else None


def send_current(
    credit_request: UserCreditPathway, *, from_statuses: Collection[Status], on_failure: Status = Status.FAILED
) -> Change | None:
    """Send the email with the record as it is now; see ``send``. An error of the record source is a failed attempt."""
    try:
        record = current_record(credit_request)
    except Exception as error:  # noqa: BLE001  the host's
        log.warning("credit request %s: %s", credit_request.pk, type(error).__name__)
        outcome = Outcome(on_failure, with_error(NOT_SENT, error))
    else:
        return send(credit_request, record, from_statuses=from_statuses, on_failure=on_failure)
    # Not inside the except block: a new error must not carry the host's, which may contain the learner's name.
    connection.close_if_unusable_or_obsolete()
    with row_lock():
        row = _lock(credit_request)
        if row is None or not row.may_be_sent(from_statuses):
            return None
        _record_attempt(credit_request, outcome)
        return Change(row.status, outcome.status)


def give_up(credit_request: UserCreditPathway, failure_reason: str) -> Change | None:
    """Mark a pending request as failed. Return ``None`` if it is not pending, or another process is delivering it."""
    with row_lock(durable=False):
        row = _lock(credit_request)
        if row is None or row.status != Status.PENDING or row.is_imported:
            return None
        _record(credit_request, Outcome(Status.FAILED, failure_reason))
        return Change(Status.PENDING, Status.FAILED)


def with_error(failure_reason: str, error: BaseException) -> str:
    """Add what is safe to tell about ``error`` to a failure reason."""
    return f"{failure_reason} ({describe(error)})"


def describe(error: BaseException) -> str:
    """
    Return the class of ``error``, and the code of an SMTP server's reply.

    The text of an error may contain the learner's name or address.
    """
    cause: Any = error.__cause__ or error  # edx-ace raises an error of its own from the mail server's
    try:
        [(code, _text)] = cause.recipients.values()  # of SMTPRecipientsRefused
    except (AttributeError, TypeError, ValueError):
        code = getattr(cause, "smtp_code", "")
    return f"{type(cause).__name__} {code if isinstance(code, int) else ''}".strip()[:100]


def row_lock(*, durable: bool = True) -> AbstractContextManager[Any]:
    """Return a transaction in which rows can be locked. SQLite has none: its only lock stops all other writers."""
    return transaction.atomic(durable=durable) if connection.features.has_select_for_update else nullcontext()


def _lock(credit_request: UserCreditPathway, record: ProgramRecord | None = None) -> LockedRow | None:
    """
    Lock the row of a credit request, and copy its status to ``credit_request``; ``None`` if the row is locked or gone.

    A row that is locked counts as pending: the other process is sending the email, and this one never waits for it.
    The query uses the primary key alone, because two deliveries that reach the same row through different indexes can
    deadlock.
    """
    shared_records = [record.shared_record.pk] if record and record.shared_record else []
    link = ProgramCertRecord.objects.filter(pk__in=shared_records)
    # A subquery, because a join would lock the user's row too.
    active_user = get_user_model()._default_manager.filter(pk=OuterRef("user"), is_active=True)
    skip_locked = connection.features.has_select_for_update_skip_locked
    rows = UserCreditPathway.objects.select_for_update(skip_locked=skip_locked).filter(pk=credit_request.pk)
    values = rows.values_list("status", "program_id", ImportedRow.of_request(), Exists(active_user), Exists(link))
    row = next((LockedRow(*row) for row in values), None)
    credit_request.status = row.status if row else Status.PENDING
    return row


def _record_attempt(credit_request: UserCreditPathway, outcome: Outcome) -> None:
    _record(credit_request, outcome, attempts=F("attempts") + 1)
    credit_request.attempts += 1


def _record(credit_request: UserCreditPathway, outcome: Outcome, **values: Any) -> None:
    """
    Save and log the outcome. Never overwrite ``sent`` with anything else.

    The ``modified`` of a row that stays pending is not saved, because ``deliver_pending`` may have claimed the row.
    """
    values.update(failure_reason=outcome.failure_reason)
    if outcome.status != Status.PENDING:
        credit_request.modified = timezone.now()
        values.update(status=outcome.status, modified=credit_request.modified)
    if outcome.status == Status.SENT:
        values.update(sent_to=outcome.sent_to)
    row = UserCreditPathway.objects.filter(pk=credit_request.pk)
    row = row if outcome.status == Status.SENT else row.exclude(status=Status.SENT)
    row.update(**values)
    for name, value in outcome._asdict().items():
        setattr(credit_request, name, value)
    level = logging.INFO if outcome.status == Status.SENT else logging.WARNING
    log.log(level, "credit request %s: %s", credit_request.pk, outcome.status)


def _attempt(
    credit_request: UserCreditPathway, record: ProgramRecord | None, row: LockedRow, on_failure: Status
) -> Outcome:
    obstacle = _obstacle(credit_request, record, row)
    if obstacle or record is None:
        return Outcome(Status.FAILED, obstacle)
    try:
        message = credit_request_message(credit_request, record)
        was_sent = hand_over(message)
    except Exception as error:  # noqa: BLE001  whatever went wrong, the email was not sent
        # The error's text may contain the learner's name or address. Its type does not.
        log.warning("credit request %s: not sent: %s", credit_request.pk, type(error).__name__)
        return Outcome(on_failure, with_error(NOT_SENT, error))
    if was_sent:
        return Outcome(Status.SENT, sent_to=credit_request.pathway.email)
    return Outcome(on_failure, with_error(NOT_SENT, message.error) if message.error else NO_CHANNEL)


def _obstacle(credit_request: UserCreditPathway, record: ProgramRecord | None, row: LockedRow) -> str:
    """Return why there is nothing to send, or ``""``."""
    if not row.is_active:
        return INACTIVE
    if record is None:
        return NO_RECORD
    if not row.is_shared:
        return NOT_SHARED
    # Django reports an email without recipients as sent.
    return "" if credit_request.pathway.email else NO_ADDRESS


def hand_over(message: CreditRequestMessage) -> bool:
    """
    Send ``message`` and return whether edx-ace reported that an email channel accepted this message (ADR 0002).

    ``ace.send()`` always returns ``None`` and swallows most errors.
    """
    reports: list[Channel] = []

    def listen(sender: Channel, message: dict[str, Any], **kwargs: Any) -> None:
        if message["uuid"] == uuid and sender.channel_type == ChannelType.EMAIL:
            reports.append(sender)

    uuid = str(message.uuid)
    ACE_MESSAGE_SENT.connect(listen, weak=False)
    try:
        ace.send(message)
    except Exception as error:
        if not reports:
            raise
        log.warning("message %s was sent before %s was raised", uuid, type(error).__name__)
    finally:
        ACE_MESSAGE_SENT.disconnect(listen)
    return bool(reports)
