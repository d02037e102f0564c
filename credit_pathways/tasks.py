"""The Celery tasks that send emails, for ``CREDIT_PATHWAYS_DELIVERY = "celery"``."""

import logging
import random
import time

from celery import Task, shared_task
from celery.exceptions import Reject

from . import conf
from .delivery import learner_emails
from .delivery.broker import LEARNER_EMAIL_TASK, TASK, publish_options
from .delivery.later import attempt_delivery
from .delivery.learner_emails import Event
from .models import UserCreditPathway

log = logging.getLogger(__name__)

#: Seconds between attempts. Brokers redeliver a message that waits longer: RabbitMQ after 30 minutes, Redis after 60.
MAX_PAUSE = 15 * 60

#: Seconds that a worker process sleeps while the broker does not accept the next attempt.
MAX_SLEEP = 30


@shared_task(  # type: ignore[untyped-decorator]
    name=TASK, bind=True, acks_late=True, reject_on_worker_lost=True, ignore_result=True, max_retries=None
)
def deliver_credit_request(self: Task, request_id: int) -> None:
    """
    Deliver a pending credit request. Retry if its email was not sent, and fail when attempts run out.

    At least once (promise 5): a message is acknowledged after its attempt, so a killed worker loses none.
    """
    attempt = self.request.retries + 1
    status = attempt_delivery(request_id=request_id, is_last=attempt >= conf.celery_attempts())
    if status == UserCreditPathway.Status.PENDING:
        _retry(self, f"credit request {request_id}", attempt)


# Not rejected if the worker is lost: an email that kills its worker must not come back before institutions' emails.
@shared_task(  # type: ignore[untyped-decorator]
    name=LEARNER_EMAIL_TASK,
    bind=True,
    acks_late=True,
    reject_on_worker_lost=False,
    ignore_result=True,
    max_retries=None,
)
def send_learner_email(self: Task, request_id: int, event: str) -> None:
    """Tell the learner about ``event`` (see ``learner_emails.Event``). Retry if the email was not sent."""
    attempt = self.request.retries + 1
    is_done = learner_emails.send(request_id, Event(event))
    if not is_done and attempt < conf.celery_attempts():
        _retry(self, learner_emails.log_name(request_id, Event(event)), attempt)


def _retry(task: Task, name: str, attempt: int) -> None:
    """Queue the next attempt. If the broker does not accept it, put this one back, after a pause."""
    pause = _pause_after(attempt)
    log.warning("%s: attempt %s failed, retrying in %.0f s", name, attempt, pause)
    try:
        with publish_options() as options:
            retry = task.retry(countdown=pause, throw=False, max_retries=attempt, **options)
    except Exception as error:
        # A message that is put back is redelivered immediately, but the mail server should get its pause.
        time.sleep(min(pause, MAX_SLEEP))
        raise Reject(error, requeue=True) from error
    raise retry


def _pause_after(attempt: int) -> float:
    """Return the seconds to wait: exponential backoff with jitter."""
    seconds = conf.celery_backoff() * 2 ** min(attempt - 1, 30)
    return min(MAX_PAUSE, seconds) * random.uniform(0.5, 1)  # noqa: S311
