"""Getting one credit request's email out, and writing down truthfully whether it left."""

import logging
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists
from django.utils import timezone
from edx_ace import ace
from edx_ace.channel import Channel, ChannelType
from edx_ace.message import Message
from edx_ace.signals import ACE_MESSAGE_SENT

from .messages import credit_request_message
from .models import ProgramCertRecord, UserCreditPathway, UserCreditPathwayQuerySet
from .records import ProgramRecord

log = logging.getLogger(__name__)

Status = UserCreditPathway.Status


def deliver(
    credit_request: UserCreditPathway,
    record: ProgramRecord | None,
    *,
    among: UserCreditPathwayQuerySet,
    otherwise: Status = Status.FAILED,
) -> Status:
    """
    Send the email of a credit request that is ``among`` the given ones, record the outcome, and return the status.

    A request that is not among them (any more) is left as it is. If the mail does not leave, the status becomes
    ``otherwise``; if there is nothing to send, ``failed``, for waiting would not change that.

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
            if link_is_alive is None:
                credit_request.refresh_from_db(fields=["status"])
            else:
                outcome = _attempt(credit_request, record if link_is_alive else None, otherwise)
                _write_down(credit_request, outcome, among)
    except Exception:
        if outcome is None:
            raise
        _write_down(credit_request, outcome, among)
    return Status(credit_request.status)


def give_up(credit_request: UserCreditPathway) -> Status:
    """Write down that the email of a pending request will not leave, unless it has meanwhile; return the status."""
    _write_down(credit_request, Status.FAILED, UserCreditPathway.objects.pending())
    return Status(credit_request.status)


def _row_lock() -> AbstractContextManager[Any]:
    return transaction.atomic(durable=True) if connection.features.has_select_for_update else nullcontext()


def _lock(
    credit_request: UserCreditPathway, record: ProgramRecord | None, among: UserCreditPathwayQuerySet
) -> bool | None:
    """Lock the row; return whether the link that the mail would hold works, ``None`` if the row is not ``among``."""
    shared_records = [record.shared_record.pk] if record and record.shared_record else []
    link = ProgramCertRecord.objects.filter(pk__in=shared_records)
    due = among.select_for_update().filter(pk=credit_request.pk)
    return due.annotate(link_is_alive=Exists(link)).values_list("link_is_alive", flat=True).first()


def _write_down(credit_request: UserCreditPathway, status: Status, among: UserCreditPathwayQuerySet) -> None:
    """Record the status of a request that is still ``among`` the given ones; another delivery may have been quicker."""
    now = timezone.now()
    if not among.filter(pk=credit_request.pk).update(status=status, modified=now):
        credit_request.refresh_from_db(fields=["status"])
        return
    credit_request.status, credit_request.modified = status, now
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
