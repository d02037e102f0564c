"""The Celery task, for ``CREDIT_PATHWAYS_DELIVERY = "celery"``."""

import logging
import random
import time

from celery import Task, shared_task
from celery.exceptions import Reject

from . import conf
from .delivery import later
from .delivery.broker import TASK, bounded_options
from .models import UserCreditPathway

log = logging.getLogger(__name__)

#: Seconds. Brokers give a message that waits longer to somebody else: RabbitMQ after 30 minutes, Redis after 60.
LONGEST_PAUSE = 15 * 60

#: Seconds that a worker process waits itself, while the broker does not take the next attempt.
LONGEST_SLEEP = 30


@shared_task(  # type: ignore[untyped-decorator]
    name=TASK, bind=True, acks_late=True, reject_on_worker_lost=True, ignore_result=True, max_retries=None
)
def deliver_credit_request(self: Task, request_id: int) -> None:
    """
    Deliver a pending credit request; if its mail does not leave, try again later, and fail when attempts run out.

    At least once (promise 5): a message is acknowledged when its attempt is over, so that a killed worker loses none.
    """
    number = self.request.retries + 1
    status = later.attempt_delivery(request_id=request_id, is_last=number >= conf.celery_attempts())
    if status == UserCreditPathway.Status.PENDING:
        _try_again(self, request_id, number)


def _try_again(task: Task, request_id: int, number: int) -> None:
    """Put the next attempt into the queue; if the broker does not take it, put this one back, not at once."""
    pause = _pause(number)
    log.warning("credit request %s: attempt %s failed, the next is in %.0f s", request_id, number, pause)
    try:
        with bounded_options() as options:
            retry = task.retry(countdown=pause, throw=False, max_retries=number, **options)
    except Exception as error:
        # The message comes again as soon as it is put back, and the relay should not be asked without a pause.
        time.sleep(min(pause, LONGEST_SLEEP))
        raise Reject(error, requeue=True) from error
    raise retry


def _pause(number: int) -> float:
    """Return the seconds to wait after attempt ``number``: exponential, with jitter."""
    doubled = conf.celery_backoff() * 2 ** min(number - 1, 30)
    return min(LONGEST_PAUSE, doubled) * random.uniform(0.5, 1)  # noqa: S311
