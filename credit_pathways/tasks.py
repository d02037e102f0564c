"""The Celery tasks that send emails, for ``CREDIT_PATHWAYS_DELIVERY = "celery"``."""

import logging
import random
import time
from contextlib import suppress
from typing import Any

from celery import Task, shared_task
from celery.exceptions import Reject, Retry
from celery.worker.request import Request

from . import conf
from .delivery import later, learner_emails
from .delivery.broker import LEARNER_EMAIL_TASK, TASK, publish_options
from .delivery.learner_emails import Event

log = logging.getLogger(__name__)

#: Seconds that a worker process sleeps while the broker does not accept the next attempt.
MAX_SLEEP = 30


class RequeuedRequest(Request):
    """
    Puts the message back if an attempt ignores its soft time limit, so that its process is killed.

    Celery before 5.7 would drop the message. The next attempt is counted, so this ends, too.
    """

    def on_timeout(self, soft: bool, timeout: int) -> None:  # noqa: FBT001  Celery's signature
        super().on_timeout(soft, timeout)
        if not soft:
            self.reject(requeue=True)


@shared_task(  # type: ignore[untyped-decorator]
    name=TASK,
    bind=True,
    acks_late=True,
    acks_on_failure_or_timeout=False,
    acks_on_failure=False,  # since 5.7, the host's settings of these names come first
    acks_on_timeout=False,
    reject_on_worker_lost=True,
    ignore_result=True,
    max_retries=None,
    Request=RequeuedRequest,
)
def deliver_credit_request(self: Task, request_id: int, queued_after: int = 0) -> None:
    """
    Deliver a pending credit request. Retry if its email was not sent, and fail when attempts run out.

    At least once (promise 5): a message is acknowledged after its attempt, so a killed worker loses none. The message
    says after how many attempts it was queued, so that copies of it, which brokers may deliver later, do nothing.
    """
    again_after = later.attempt_delivery(request_id=request_id, queued_after=queued_after)
    if again_after is None:
        return
    try:
        retry = _queue_again(self, f"credit request {request_id}", (request_id, again_after))
    except Exception as error:
        _before_redelivery(request_id, again_after)
        raise Reject(error, requeue=True) from error
    raise retry


# Not rejected if the worker is lost: an email that kills its worker must not come back before institutions' emails.
@shared_task(  # type: ignore[untyped-decorator]
    name=LEARNER_EMAIL_TASK,
    bind=True,
    acks_late=True,
    reject_on_worker_lost=False,
    ignore_result=True,
    max_retries=None,
)
def send_learner_email(self: Task, request_id: int, event: str, queued_after: int = 0) -> None:
    """
    Tell the learner about ``event`` (see ``learner_emails.Event``). Retry if the email was not sent.

    The email is lost if the broker does not accept the next attempt: a message that is put back would not be counted.
    """
    is_done = learner_emails.attempt(request_id, Event(event), queued_after=queued_after)
    if not is_done and self.request.retries + 1 < conf.celery_attempts():
        name = learner_emails.log_name(request_id, Event(event))
        try:
            retry = _queue_again(self, name, (request_id, event, queued_after + 1))
        except Exception as error:  # noqa: BLE001  each kind of broker has its own errors
            log.warning("%s: not queued: %s", name, type(error).__name__)
            return
        raise retry


def _queue_again(task: Task, name: str, args: tuple[Any, ...]) -> Retry:
    """Queue the next attempt, after a pause, and return the exception with which this one ends."""
    pause = _pause_after(args[-1])
    log.warning("%s: retrying in %.0f s", name, pause)
    with publish_options() as options:
        # A quorum queue does not accept less than a second.
        return task.retry(args=args, countdown=max(1, pause), throw=False, **options)


def _before_redelivery(request_id: int, attempts: int) -> None:
    """Let a message count that is put back, because the broker does not accept the next one."""
    with suppress(Exception):  # without a database, the message does no harm
        later.put_back(request_id)
    # It is redelivered immediately, but the mail server should get its pause. The soft time limit may strike here.
    with suppress(Exception):
        time.sleep(min(_pause_after(attempts), MAX_SLEEP))


def _pause_after(attempts: int) -> float:
    """Return the seconds to wait: exponential backoff with jitter."""
    return conf.celery_pause(attempts) * random.uniform(0.5, 1)  # noqa: S311
