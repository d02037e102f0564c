"""The Celery tasks that send emails, for ``CREDIT_PATHWAYS_DELIVERY = "celery"``."""

import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from celery import Task, shared_task
from celery.exceptions import Reject
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

    Celery would drop the message. The next attempt is counted, so this ends, too.
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
    if again_after is not None:
        put_back = partial(later.put_back, request_id)
        _retry(self, f"credit request {request_id}", (request_id, again_after), put_back)


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
    """Tell the learner about ``event`` (see ``learner_emails.Event``). Retry if the email was not sent."""
    is_done = learner_emails.attempt(request_id, Event(event), queued_after=queued_after)
    if not is_done and self.request.retries + 1 < conf.celery_attempts():
        name, put_back = learner_emails.log_name(request_id, Event(event)), partial(learner_emails.put_back, request_id)
        _retry(self, name, (request_id, event, queued_after + 1), partial(put_back, queued_after + 1))


def _retry(task: Task, name: str, args: tuple[Any, ...], put_back: Callable[[], None]) -> None:
    """Queue the next message. If the broker does not accept it, put this one back, after a pause."""
    pause = _pause_after(args[-1])
    log.warning("%s: retrying in %.0f s", name, pause)
    try:
        with publish_options() as options:
            # A quorum queue does not accept less than a second.
            retry = task.retry(args=args, countdown=max(1, pause), throw=False, **options)
    except Exception as error:
        with suppress(Exception):  # without a database, the message does no harm
            put_back()
        # A message that is put back is redelivered immediately, but the mail server should get its pause.
        time.sleep(min(pause, MAX_SLEEP))
        raise Reject(error, requeue=True) from error
    raise retry


def _pause_after(attempts: int) -> float:
    """Return the seconds to wait: exponential backoff with jitter."""
    return conf.celery_pause(attempts) * random.uniform(0.5, 1)  # noqa: S311
