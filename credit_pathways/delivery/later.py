"""Deliveries after the click: a worker's attempts, and requests that stayed pending."""

import logging
from collections.abc import Collection, Iterator
from datetime import timedelta

from django.db import close_old_connections
from django.utils import timezone

from .. import conf, database
from ..models import UserCreditPathway, UserCreditPathwayQuerySet
from ..records import current_record
from . import learner_emails, sending

log = logging.getLogger(__name__)

Status = UserCreditPathway.Status


def attempt_delivery(*, request_id: int, queued_after: int) -> int | None:
    """
    Make a worker's attempt to deliver a pending request, because of a message that was queued after so many attempts.

    If the email was not sent, for whatever reason, the request stays pending, or fails if this was the last attempt.
    Return after how many attempts the next message is to be queued; ``None`` if there is nothing left to do.
    """
    credit_request = None
    try:
        credit_request = _with_related(UserCreditPathway.objects.pending()).filter(pk=request_id).first()
        if credit_request is None or _is_stale(credit_request, queued_after):
            log.info("credit request %s: nothing to do", request_id)
            return None
        change = _deliver_or_give_up(credit_request, on_failure=Status.PENDING)
        if change is None:
            log.info("credit request %s: another process is delivering it", request_id)
            return queued_after
    except Exception as error:  # noqa: BLE001  from the database, or a time limit
        _handle(request_id, error)
        return credit_request.attempts if credit_request else queued_after
    # If it was sent and not recorded, a second email, with the same Message-ID, is the way out of pending.
    is_done = change.is_recorded and change.after != Status.PENDING
    return None if is_done else credit_request.attempts


def put_back(request_id: int) -> None:
    """Let the message of the last attempt, which will be delivered again, count: no later one could be queued."""
    # Not an attempt that another process is still making: its claim must stay.
    rows = UserCreditPathway.objects.filter(pk=request_id, status=Status.PENDING).exclude(failure_reason="")
    database.retry_once(lambda: rows.update(failure_reason="", modified=timezone.now()), atomic=False)


def _with_related(requests: UserCreditPathwayQuerySet) -> UserCreditPathwayQuerySet:
    """Return ``requests`` with all that their emails need."""
    return database.primary(requests).select_related("user", "pathway", "program__site")


def _is_stale(credit_request: UserCreditPathway, queued_after: int) -> bool:
    """
    Return whether a later message takes care of the request.

    An attempt whose outcome is unknown has no later message yet: its process may have been killed. A later message that
    is overdue may be lost, which Redis does to one that a killed worker had just received.
    """
    pause = timedelta(seconds=conf.celery_pause(credit_request.attempts))
    is_overdue = credit_request.modified + pause < timezone.now()
    return credit_request.attempts > queued_after and not (sending.is_unfinished(credit_request) or is_overdue)


def _deliver_or_give_up(credit_request: UserCreditPathway, *, on_failure: Status) -> sending.Change | None:
    """
    Make an attempt, unless there were enough, and tell the learner what changed.

    There are too many if each attempt kills its process (promise 5). The result is that of ``sending.send``.
    """
    attempts_left = conf.celery_attempts() - credit_request.attempts
    if attempts_left > 0:
        on_failure = on_failure if attempts_left > 1 else Status.FAILED
        return _deliver(credit_request, [Status.PENDING], on_failure)
    if sending.is_being_delivered(credit_request):
        return None
    change = sending.give_up(credit_request, credit_request.failure_reason or sending.INTERRUPTED)
    learner_emails.after_delivery(credit_request, change)
    return change


def _deliver(
    credit_request: UserCreditPathway, from_statuses: Collection[Status], on_failure: Status
) -> sending.Change | None:
    change = sending.send(
        credit_request, lambda: current_record(credit_request), from_statuses=from_statuses, on_failure=on_failure
    )
    learner_emails.after_delivery(credit_request, change)
    return change


def deliver(credit_request: UserCreditPathway) -> Status:
    """Try once to deliver a request that was never sent, as it is now; see ``api.deliver``."""
    try:
        credit_request.refresh_from_db(from_queryset=_with_related(UserCreditPathway.objects.deliverable()))
    except UserCreditPathway.DoesNotExist:
        sending.read_status(credit_request)
    else:
        _deliver(credit_request, UserCreditPathway.UNSENT, Status.FAILED)
    return Status(credit_request.status)


def overdue_requests(*, older_than: timedelta) -> UserCreditPathwayQuerySet:
    """
    Return the requests that have been pending for longer: their process was killed, or the queue lost them.

    A request that is being delivered is not among them. Those that may kill this process too come last.
    """
    now = timezone.now()
    requests = UserCreditPathway.objects.pending().filter(created__lt=now - older_than, modified__lte=now)
    return database.primary(requests).order_by("attempts", "pk")


def deliver_pending(*, older_than: timedelta) -> Iterator[UserCreditPathway]:
    """
    Try once to deliver each request that has been pending for longer, and yield it when that is done.

    After an error of the database, the request is yielded as pending. Two processes may do this at the same time: an
    attempt claims its request.
    """
    for request_id in list(overdue_requests(older_than=older_than).values_list("pk", flat=True)):
        try:
            credit_request = _with_related(overdue_requests(older_than=older_than)).filter(pk=request_id).first()
            change = credit_request and _deliver_or_give_up(credit_request, on_failure=Status.FAILED)
        except Exception as error:  # noqa: BLE001  from the database
            _handle(request_id, error)
            yield UserCreditPathway(pk=request_id)
        else:
            yield from [credit_request] if credit_request and change else []


def _handle(request_id: int, error: Exception) -> None:
    """Log an error, and let the next request have new connections if these are broken."""
    log.warning("credit request %s: %s", request_id, type(error).__name__)
    close_old_connections()
