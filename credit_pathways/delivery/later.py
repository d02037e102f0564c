"""Entry points of workers and operators: one attempt at a pending request, and the requests that stayed pending."""

import logging
from collections.abc import Iterator
from datetime import timedelta

from django.db import connection, router
from django.utils import timezone

from ..models import UserCreditPathway, UserCreditPathwayQuerySet
from ..records import record_now
from . import sending

log = logging.getLogger(__name__)

Status = UserCreditPathway.Status

#: How long a request is claimed by one who delivers it and may be killed: longer than mail servers take.
CLAIM = timedelta(minutes=10)


def attempt_delivery(*, request_id: int, is_last: bool) -> Status | None:
    """
    Try once to deliver a pending request, and return its status; ``None`` if there is no such request to deliver.

    If the mail does not leave, whatever goes wrong, the request stays pending, or fails if the attempt was the last.

    Raises:
        django.db.Error: not even that could be written down after the last attempt.
    """
    otherwise = Status.FAILED if is_last else Status.PENDING
    try:
        return _attempt(request_id, otherwise)
    except Exception as error:  # noqa: BLE001  the host's record source, the database, a time limit
        log.warning("credit request %s: %s", request_id, type(error).__name__)
    # Outside the block, so that no error of the host's, with a learner's name in it, is shown as the cause of another.
    connection.close_if_unusable_or_obsolete()
    return sending.give_up(UserCreditPathway(pk=request_id)) if is_last else otherwise


def _attempt(request_id: int, otherwise: Status) -> Status | None:
    # A replica may not have the row yet.
    pending = UserCreditPathway.objects.using(router.db_for_write(UserCreditPathway)).pending()
    credit_request = pending.select_related("user", "pathway", "program__site").filter(pk=request_id).first()
    if credit_request is None:
        log.info("credit request %s: not pending", request_id)
        return None
    record = record_now(credit_request)
    return sending.deliver(credit_request, record, among=[Status.PENDING], otherwise=otherwise)


def pending_requests(*, older_than: timedelta) -> UserCreditPathwayQuerySet:
    """
    Return the requests that have been pending for longer: their process was killed, or the queue lost them.

    One that ``deliver_pending`` is delivering just now is not among them.
    """
    now = timezone.now()
    return UserCreditPathway.objects.pending().filter(created__lt=now - older_than, modified__lte=now).order_by("pk")


def deliver_pending(*, older_than: timedelta) -> Iterator[UserCreditPathway]:
    """
    Deliver the requests that have been pending for longer, each once, and give each when it is done.

    Two of these may run at the same time: each claims a request first, by a ``modified`` in the future.
    """
    for request_id in list(pending_requests(older_than=older_than).values_list("pk", flat=True)):
        unclaimed = pending_requests(older_than=older_than).filter(pk=request_id)
        if unclaimed.update(modified=timezone.now() + CLAIM):
            attempt_delivery(request_id=request_id, is_last=True)
            yield from UserCreditPathway.objects.filter(pk=request_id)
