"""
One attempt to send the email of a credit request, and a truthful record of its outcome.

1. The attempt is counted and the row claimed, before anything that could kill the process.
2. The record is read, which is the host's code.
3. Where the database can, the row is locked while its email is in flight.
4. The outcome is recorded, even if that transaction is lost: the host's code runs in it, a slow mail server may outlast
   the database's timeout, and Celery's time limit may strike.

Of two attempts at once, one sends the email: the other finds the row claimed, then locked, then sent. A claim ends with
its attempt or, if the process was killed, when the attempt's time is up (ADR 0022).
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from django.db import close_old_connections
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_noop

from .. import conf, database
from ..models import ProgramCertRecord, UserCreditPathway, UserCreditPathwayQuerySet
from ..records import ProgramRecord
from ..users import active_users
from .handover import describe, hand_over
from .message import credit_request_message

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
NOT_STARTED = gettext_noop("There was no time left to send this email")
INTERRUPTED = gettext_noop("Every attempt was interrupted")
RETIRED = gettext_noop("The learner was retired")

#: Seconds after which no further email is started while a person waits: web servers usually abort a request after 30.
MAX_DELIVERY_SECONDS = 15


class LockedRow(NamedTuple):
    """What the database says about a credit request while its row is locked."""

    status: str
    attempts: int
    #: Whether the learner's account is active.
    is_active: bool
    #: Whether the record is still shared by the link that the email would contain.
    is_shared: bool


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt, as it is recorded."""

    status: Status
    failure_reason: str = ""
    sent_to: str = ""
    at: datetime = field(default_factory=timezone.now)


class Change(NamedTuple):
    """The status of a request before and after an attempt. They may be the same."""

    before: str
    after: Status
    #: If not, only this process knows that the email was sent, and the row is still pending.
    is_recorded: bool = True


def send(
    credit_request: UserCreditPathway,
    read_record: Callable[[], ProgramRecord | None],
    *,
    from_statuses: Collection[Status],
    on_failure: Status = Status.FAILED,
) -> Change | None:
    """
    Try once to send the email of a deliverable credit request, and record the outcome, also in ``credit_request``.

    If the email was not sent, which includes an error of ``read_record``, the status becomes ``on_failure``. If there
    is nothing to send (see ``_obstacle``), the request fails, because a later attempt would not change that. The result
    is ``None``, and the row is left as it is, if its status is not one of ``from_statuses``, or if another process is
    delivering it, which counts as pending.

    Raises:
        RuntimeError: called inside a transaction, where the row may not be committed yet (promise 1). Not on SQLite,
            which is not locked here because its only lock would stop all other writers.
    """
    before = credit_request.status
    if _start(credit_request, from_statuses):
        attempt = _Attempt(credit_request, from_statuses, on_failure)
        attempt.read(read_record)
        if outcome := attempt.send():
            return Change(before, outcome.status, attempt.is_recorded)
    read_status(credit_request)
    if credit_request.status in from_statuses:
        credit_request.status = Status.PENDING
    return None


def is_being_delivered(credit_request: UserCreditPathway) -> bool:
    """Return whether an attempt was started that has not ended, unless its process was killed and its time is up."""
    if not is_unfinished(credit_request):
        return False
    return credit_request.modified > timezone.now() or is_locked(credit_request)


def is_locked(credit_request: UserCreditPathway) -> bool:
    """
    Return whether the email is in flight, which can take longer than the attempt's time.

    ``False`` if the database cannot tell.
    """
    if not database.connection().features.has_select_for_update_skip_locked:
        return False
    rows = database.primary(UserCreditPathway.objects.select_for_update(skip_locked=True))
    unlocked = rows.filter(pk=credit_request.pk).values_list("pk")
    return not database.retry_once(lambda: list(unlocked.all()))


def is_unfinished(credit_request: UserCreditPathway) -> bool:
    """Return whether the outcome of the last attempt is unknown: it has not ended, or its process was killed."""
    return credit_request.attempts > 0 and not credit_request.failure_reason


def give_up(credit_request: UserCreditPathway, failure_reason: str) -> Change | None:
    """Mark a pending request as failed. Return ``None`` if it is not pending, or an attempt was started meanwhile."""
    record = partial(_record, credit_request, Outcome(Status.FAILED, failure_reason), [Status.PENDING])
    # MySQL and MariaDB would wait for the row's lock before they see that it has changed.
    is_unchanged = database.primary(_rows(credit_request, [Status.PENDING])).exists()
    if is_unchanged and record():
        return Change(Status.PENDING, Status.FAILED)
    read_status(credit_request)
    return None


def read_status(credit_request: UserCreditPathway) -> None:
    """Read the status again. A request that is gone counts as pending."""
    rows = database.primary(UserCreditPathway.objects.filter(pk=credit_request.pk))
    credit_request.status = rows.values_list("status", flat=True).first() or Status.PENDING


def fail(credit_requests: Collection[UserCreditPathway], failure_reason: str) -> None:
    """Give up. If not even that can be saved, at least tell the learner, who is waiting for the response."""
    for credit_request in credit_requests:
        try:
            close_old_connections()
            give_up(credit_request, failure_reason)
        except Exception as error:  # noqa: BLE001  of the database
            log.warning("credit request %s: %s", credit_request.pk, type(error).__name__)
            if credit_request.status == Status.PENDING:
                credit_request.status = Status.FAILED


def with_error(failure_reason: str, error: BaseException) -> str:
    """Add what is safe to tell about ``error`` to a failure reason."""
    return f"{failure_reason} ({describe(error)})"


def _start(credit_request: UserCreditPathway, from_statuses: Collection[Status]) -> bool:
    """Count an attempt and claim the row, unless another process has done so since the row was read."""
    if is_being_delivered(credit_request):
        return False
    claim = {
        "attempts": credit_request.attempts + 1,
        "failure_reason": "",
        "modified": timezone.now() + timedelta(seconds=conf.celery_time_limit()),
    }
    if database.has_row_locks():
        database.reconnect_once(database.require_no_transaction)
    # One statement, without a transaction: at SERIALIZABLE, that conflicts with claims of other rows much less often.
    return _update(credit_request, _rows(credit_request, from_statuses), claim)


def _update(credit_request: UserCreditPathway, rows: UserCreditPathwayQuerySet, values: dict[str, Any]) -> bool:
    """
    Update ``rows``, which are the request's row or none, then ``credit_request``. Return whether the row has changed.

    ``values`` contain a time, by which this update is recognized if its answer was lost with the connection.
    """
    updated = database.primary(UserCreditPathway.objects.filter(pk=credit_request.pk, **values))

    def update() -> bool:
        return bool(rows.update(**values)) or updated.exists()

    is_updated = database.reconnect_once(partial(database.retry_once, update, atomic=False))
    # Not earlier: if that fails, whoever gives up must find the row by its old attempts.
    for name, value in values.items() if is_updated else ():
        setattr(credit_request, name, value)
    return is_updated


def _rows(credit_request: UserCreditPathway, from_statuses: Collection[Status]) -> UserCreditPathwayQuerySet:
    """Return the row, unless its status is another one, or another attempt was started since it was read."""
    rows = UserCreditPathway.objects.filter(pk=credit_request.pk, attempts=credit_request.attempts)
    return rows.filter(status__in=from_statuses)


def _record(credit_request: UserCreditPathway, outcome: Outcome, from_statuses: Collection[Status]) -> bool:
    """Save and log the outcome, and return whether it was saved: ``sent`` always is, and never overwritten."""
    rows = _rows(credit_request, from_statuses)
    values = {"status": outcome.status, "failure_reason": outcome.failure_reason, "modified": outcome.at}
    if outcome.status == Status.SENT:
        rows = UserCreditPathway.objects.filter(pk=credit_request.pk)
        values["sent_to"] = outcome.sent_to
    if not _update(credit_request, rows, values):
        return False
    level = logging.INFO if outcome.status == Status.SENT else logging.WARNING
    log.log(level, "credit request %s: %s", credit_request.pk, outcome.status)
    return True


@dataclass
class _Attempt:
    """An attempt that was started."""

    credit_request: UserCreditPathway
    from_statuses: Collection[Status]
    on_failure: Status
    record: ProgramRecord | None = None
    outcome: Outcome | None = None
    is_recorded: bool = True

    def read(self, read_record: Callable[[], ProgramRecord | None]) -> None:
        try:
            self.record = read_record()
        except Exception as error:  # noqa: BLE001  the host's
            log.warning("credit request %s: %s", self.credit_request.pk, type(error).__name__)
            self.outcome = Outcome(self.on_failure, with_error(NOT_SENT, error))
            close_old_connections()

    def send(self) -> Outcome | None:
        """Send the email, and return the recorded outcome; ``None`` if another process is delivering the request."""
        try:
            deliver = partial(database.retry_once, self._send_locked, atomic=database.has_row_locks(), durable=True)
            database.reconnect_once(deliver)
        except Exception:
            if self.outcome is None:
                raise
            self._record_again(self.outcome)
        return self.outcome

    def _record_again(self, outcome: Outcome) -> None:
        """Record the outcome without the transaction, which is lost. Not even the database can make ``sent`` untrue."""
        try:
            close_old_connections()
            self._record()
        except Exception as error:
            if outcome.status != Status.SENT:
                raise
            log.warning("credit request %s: sent, but not recorded: %s", self.credit_request.pk, type(error).__name__)
            self.credit_request.status, self.is_recorded = outcome.status, False

    def _send_locked(self) -> None:
        row = self._lock()
        is_own = row and row.status in self.from_statuses and row.attempts == self.credit_request.attempts
        # Known if another transaction got in the way of recording it.
        if self.outcome is None and row and is_own:
            self.outcome = self._send(row)
        if self.outcome:
            self._record()

    def _lock(self) -> LockedRow | None:
        """
        Lock the row; ``None`` if it is gone.

        Another process can only have it locked for a moment, while it finds out that the row is claimed. The query uses
        the primary key alone, because two deliveries that reach the same row through different indexes can deadlock.
        """
        shared_records = [self.record.shared_record.pk] if self.record and self.record.shared_record else []
        link = ProgramCertRecord.objects.filter(pk__in=shared_records)
        # A subquery, because a join would lock the user's row too.
        active_user = active_users().filter(pk=OuterRef("user"))
        rows = database.primary(UserCreditPathway.objects.select_for_update())
        values = rows.values_list("status", "attempts", Exists(active_user), Exists(link))
        return next((LockedRow(*row) for row in values.filter(pk=self.credit_request.pk)), None)

    def _record(self) -> None:
        assert self.outcome
        if not _record(self.credit_request, self.outcome, self.from_statuses):
            self.outcome = None

    def _send(self, row: LockedRow) -> Outcome:
        obstacle = self._obstacle(row)
        if obstacle:
            return Outcome(Status.FAILED, obstacle)
        assert self.record
        try:
            message = credit_request_message(self.credit_request, self.record)
            was_sent = hand_over(message)
        except Exception as error:  # noqa: BLE001  whatever went wrong, the email was not sent
            # The error's text may contain the learner's name or address. Its type does not.
            log.warning("credit request %s: not sent: %s", self.credit_request.pk, type(error).__name__)
            return Outcome(self.on_failure, with_error(NOT_SENT, error))
        if was_sent:
            return Outcome(Status.SENT, sent_to=self.credit_request.pathway.email)
        return Outcome(self.on_failure, with_error(NOT_SENT, message.error) if message.error else NO_CHANNEL)

    def _obstacle(self, row: LockedRow) -> str:
        """Return why there is nothing to send, or ``""``."""
        # Some hosts compute it, so that no query can know it.
        if not (row.is_active and self.credit_request.user.is_active):
            return INACTIVE
        if self.record is None:
            return NO_RECORD
        if not row.is_shared:
            return NOT_SHARED
        # Django reports an email without recipients as sent.
        return "" if self.credit_request.pathway.email else NO_ADDRESS
