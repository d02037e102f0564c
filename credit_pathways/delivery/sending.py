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

from django.db import connection, transaction
from django.db.models import Exists
from django.utils import timezone
from edx_ace import ace
from edx_ace.channel import Channel, ChannelType
from edx_ace.message import Message
from edx_ace.signals import ACE_MESSAGE_SENT

from ..models import ImportedRow, ProgramCertRecord, UserCreditPathway
from ..records import ProgramRecord
from .message import credit_request_message

log = logging.getLogger(__name__)

Status = UserCreditPathway.Status


class LockedRow(NamedTuple):
    """What the database says about a credit request while its row is locked."""

    status: str
    program_id: int | None
    is_imported: bool
    #: Whether the link that the email would contain still works.
    is_shared: bool

    def may_be_sent(self, from_statuses: Collection[Status]) -> bool:
        return self.status in from_statuses and self.program_id is not None and not self.is_imported


def send(
    credit_request: UserCreditPathway,
    record: ProgramRecord | None,
    *,
    from_statuses: Collection[Status],
    on_failure: Status = Status.FAILED,
) -> Status:
    """
    Send the email of a credit request, record the outcome, and return the status.

    Only a request with one of ``from_statuses`` is sent. Any other is left as it is, and so are requests without a
    program, imported requests, and a request that another process is delivering, which counts as pending. If the
    email was not sent, the status becomes ``on_failure``. If there is nothing to send (no record, a withdrawn link, a
    pathway without an address), the request fails, because a later attempt would not change that.

    Raises:
        RuntimeError: called inside a transaction, where the row may not be committed yet (promise 1). Not on SQLite,
            which is not locked here because its only lock would stop all other writers.
    """
    outcome = None
    try:
        with _row_lock():
            row = _lock(credit_request, record)
            # A row that could not be locked is being delivered, whatever it said before.
            credit_request.status = row.status if row else Status.PENDING
            if row and row.may_be_sent(from_statuses):
                outcome = _send_email(credit_request, record if row.is_shared else None, on_failure)
                _record_outcome(credit_request, outcome)
    except Exception:
        if outcome is None:
            raise
        _record_outcome(credit_request, outcome)
    return Status(credit_request.status)


def give_up(credit_request: UserCreditPathway) -> Status:
    """Mark a pending request as failed, unless another process is delivering it, and return the status."""
    with _row_lock():
        row = _lock(credit_request)
        credit_request.status = row.status if row else Status.PENDING
        if row and row.may_be_sent([Status.PENDING]):
            _record_outcome(credit_request, Status.FAILED)
    return Status(credit_request.status)


def _row_lock() -> AbstractContextManager[Any]:
    return transaction.atomic(durable=True) if connection.features.has_select_for_update else nullcontext()


def _lock(credit_request: UserCreditPathway, record: ProgramRecord | None = None) -> LockedRow | None:
    """
    Lock the row of a credit request; ``None`` if another process has it or it is gone.

    It never waits for the lock: the other process is sending the email. The query uses the primary key alone, because
    two deliveries that reach the same row through different indexes can deadlock.
    """
    shared_records = [record.shared_record.pk] if record and record.shared_record else []
    link = ProgramCertRecord.objects.filter(pk__in=shared_records)
    skip_locked = connection.features.has_select_for_update_skip_locked
    rows = UserCreditPathway.objects.select_for_update(skip_locked=skip_locked).filter(pk=credit_request.pk)
    values = list(rows.values_list("status", "program_id", ImportedRow.of_request(), Exists(link)))
    return LockedRow(*values[0]) if values else None


def _record_outcome(credit_request: UserCreditPathway, status: Status) -> None:
    """
    Save and log the status. Never overwrite ``sent`` with anything else.

    A row that stays pending is not saved, because ``deliver_pending`` may have claimed it.
    """
    if status != Status.PENDING:
        credit_request.modified = timezone.now()
        row = UserCreditPathway.objects.filter(pk=credit_request.pk)
        row = row if status == Status.SENT else row.exclude(status=Status.SENT)
        row.update(status=status, modified=credit_request.modified)
    credit_request.status = status
    level = logging.INFO if status == Status.SENT else logging.WARNING
    log.log(level, "credit request %s: %s", credit_request.pk, status)


def _send_email(credit_request: UserCreditPathway, record: ProgramRecord | None, on_failure: Status) -> Status:
    # Django reports an email without recipients as sent.
    if record is None or not credit_request.pathway.email:
        return Status.FAILED
    try:
        was_sent = _hand_over(credit_request_message(credit_request, record))
    except Exception as error:  # noqa: BLE001  whatever went wrong, the email was not sent
        # The error's text may contain the learner's name or address. Its type does not.
        log.warning("credit request %s: not sent: %s", credit_request.pk, type(error).__name__)
        return on_failure
    return Status.SENT if was_sent else on_failure


def _hand_over(message: Message) -> bool:
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
