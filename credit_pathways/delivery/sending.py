"""Getting one credit request's email out, and writing down truthfully whether it left."""

import logging
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Any

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


def deliver(
    credit_request: UserCreditPathway,
    record: ProgramRecord | None,
    *,
    among: Collection[Status],
    otherwise: Status = Status.FAILED,
) -> Status:
    """
    Send the email of a credit request whose status is ``among`` the given ones, record and return what became of it.

    A request with another status is left as it is, and so is one without a program. So is one that somebody else is
    delivering just now; it counts as pending. If the mail does not leave, the status becomes ``otherwise``; if there
    is nothing to send, ``failed``, for waiting would not change that.

    Where the database can, the row is locked while its mail is in flight, so that two deliveries of one request
    cannot both send it. The outcome is written down even if that transaction is lost: code of the host runs in it, a
    slow relay may outlast the database's patience, and Celery's time limit may strike.

    Raises:
        RuntimeError: called inside a transaction, where the row may not be committed yet (promise 1). SQLite, whose
            only lock would stop every other writer meanwhile, has no lock here and so no such check.
    """
    outcome = None
    try:
        with _row_lock():
            link_is_alive = _lock(credit_request, record, among)
            if link_is_alive is not None:
                outcome = _attempt(credit_request, record if link_is_alive else None, otherwise)
                _write_down(credit_request, outcome)
    except Exception:
        if outcome is None:
            raise
        _write_down(credit_request, outcome)
    return Status(credit_request.status)


def give_up(credit_request: UserCreditPathway) -> Status:
    """Write down that a pending request's email will not leave, unless somebody is sending it; return the status."""
    with _row_lock():
        if _lock(credit_request, None, [Status.PENDING]) is not None:
            _write_down(credit_request, Status.FAILED)
    return Status(credit_request.status)


def _row_lock() -> AbstractContextManager[Any]:
    return transaction.atomic(durable=True) if connection.features.has_select_for_update else nullcontext()


def _lock(credit_request: UserCreditPathway, record: ProgramRecord | None, among: Collection[Status]) -> bool | None:
    """
    Lock the row; return whether the link that the mail would hold works, ``None`` if the row is not to be delivered.

    Nobody waits for a lock: who has it is sending the mail, and the link may be dead afterwards. The row is looked up
    by its key alone, for a server may take another way through other columns' indexes, and two ways can deadlock.
    """
    shared_records = [record.shared_record.pk] if record and record.shared_record else []
    link = ProgramCertRecord.objects.filter(pk__in=shared_records)
    skips = connection.features.has_select_for_update_skip_locked
    rows = UserCreditPathway.objects.select_for_update(skip_locked=skips).filter(pk=credit_request.pk)
    found = list(rows.values_list("status", "program_id", ImportedRow.of_request(), Exists(link)))
    if not found:
        # Whatever it was before, it is in flight now.
        credit_request.status = Status.PENDING
        return None
    [(status, program, is_imported, link_is_alive)] = found
    credit_request.status = status
    return link_is_alive if status in among and program and not is_imported else None


def _write_down(credit_request: UserCreditPathway, status: Status) -> None:
    """
    Record the status; never that a mail which left did not.

    A row that stays pending is not touched, for ``deliver_pending`` may have claimed it.
    """
    if status != Status.PENDING:
        credit_request.modified = timezone.now()
        row = UserCreditPathway.objects.filter(pk=credit_request.pk)
        row = row if status == Status.SENT else row.exclude(status=Status.SENT)
        row.update(status=status, modified=credit_request.modified)
    credit_request.status = status
    level = logging.INFO if status == Status.SENT else logging.WARNING
    log.log(level, "credit request %s: %s", credit_request.pk, status)


def _attempt(credit_request: UserCreditPathway, record: ProgramRecord | None, otherwise: Status) -> Status:
    """Send the email, if there is one to send, and return what became of it."""
    # Django reports a mail without receivers as sent.
    if record is None or not credit_request.pathway.email:
        return Status.FAILED
    try:
        left = _handed_over(credit_request_message(credit_request, record))
    except Exception as error:  # noqa: BLE001  whatever goes wrong here, the mail did not leave
        # The text of the error may hold the learner's name or address; its type does not.
        log.warning("credit request %s: %s", credit_request.pk, type(error).__name__)
        return otherwise
    return Status.SENT if left else otherwise


def _handed_over(message: Message) -> bool:
    """
    Send ``message`` and return whether edx-ace reported, by its uuid, that an email channel took it (ADR 0002).

    ``ace.send()`` returns ``None`` whatever happens, and swallows most errors.
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
        log.warning("message %s left; then came %s", uuid, type(error).__name__)
    finally:
        ACE_MESSAGE_SENT.disconnect(listen)
    return bool(reports)
