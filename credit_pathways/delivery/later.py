"""Deliveries after the click: a worker's attempts, and requests that stayed pending."""

import logging
from collections.abc import Collection, Iterator
from datetime import timedelta

from django.db import connection, router
from django.utils import timezone

from ..models import UserCreditPathway, UserCreditPathwayQuerySet
from . import learner_emails, sending

log = logging.getLogger(__name__)

Status = UserCreditPathway.Status

#: How long a claimed request is left to the process that claimed it: longer than a mail server takes to respond.
CLAIM_TIME = timedelta(minutes=10)


def attempt_delivery(*, request_id: int, is_last: bool) -> Status | None:
    """
    Try once to deliver a pending request, and return its status; ``None`` if no such request is pending.

    If the email was not sent, for whatever reason, the request stays pending, or fails if this was the last attempt.

    Raises:
        django.db.Error: not even the failure of the last attempt could be recorded.
    """
    on_failure = Status.FAILED if is_last else Status.PENDING
    try:
        return _deliver(request_id, on_failure)
    except Exception as error:  # noqa: BLE001  from the database, or a time limit
        log.warning("credit request %s: %s", request_id, type(error).__name__)
        failure_reason = sending.with_error(sending.NOT_SENT, error)
    # Not inside the except block: a new error must not carry the host's, which may contain the learner's name.
    connection.close_if_unusable_or_obsolete()
    if is_last:
        credit_request = UserCreditPathway(pk=request_id)
        learner_emails.after_delivery(credit_request, sending.give_up(credit_request, failure_reason))
        return Status(credit_request.status)
    return on_failure


def _deliver(request_id: int, on_failure: Status) -> Status | None:
    # A replica may not have the row yet.
    pending = UserCreditPathway.objects.using(router.db_for_write(UserCreditPathway)).pending()
    credit_request = pending.select_related("user", "pathway", "program__site").filter(pk=request_id).first()
    if credit_request is None:
        log.info("credit request %s: not pending", request_id)
        return None
    return deliver(credit_request, from_statuses=[Status.PENDING], on_failure=on_failure)


def deliver(
    credit_request: UserCreditPathway, *, from_statuses: Collection[Status], on_failure: Status = Status.FAILED
) -> Status:
    """Try once to deliver a request, tell its learner what changed, and return the status; see ``sending.send``."""
    change = sending.send_current(credit_request, from_statuses=from_statuses, on_failure=on_failure)
    learner_emails.after_delivery(credit_request, change)
    return Status(credit_request.status)


def overdue_requests(*, older_than: timedelta) -> UserCreditPathwayQuerySet:
    """
    Return the requests that have been pending for longer: their process was killed, or the queue lost them.

    A request that ``deliver_pending`` is delivering is not among them.
    """
    now = timezone.now()
    return UserCreditPathway.objects.pending().filter(created__lt=now - older_than, modified__lte=now).order_by("pk")


def deliver_pending(*, older_than: timedelta) -> Iterator[UserCreditPathway]:
    """
    Try once to deliver each request that has been pending for longer, and yield it when that is done.

    Two processes may do this at the same time: each claims a request first, with a future ``modified``.
    """
    for request_id in list(overdue_requests(older_than=older_than).values_list("pk", flat=True)):
        unclaimed = overdue_requests(older_than=older_than).filter(pk=request_id)
        if unclaimed.update(modified=timezone.now() + CLAIM_TIME):
            attempt_delivery(request_id=request_id, is_last=True)
            yield from UserCreditPathway.objects.filter(pk=request_id)
