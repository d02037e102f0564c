"""Handing credit requests to Celery. Celery is an extra, so it is imported only when it is used."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.utils.module_loading import import_string

from .. import conf, database
from ..models import UserCreditPathway
from . import sending

log = logging.getLogger(__name__)

# Imported by name, because tasks are in a higher layer.
TASK = "credit_pathways.tasks.deliver_credit_request"
LEARNER_EMAIL_TASK = "credit_pathways.tasks.send_learner_email"

#: Seconds for each step of publishing a message; there are at most three (ADR 0012).
BROKER_TIMEOUT = 2

#: Seconds between the soft time limit and the one at which Celery kills the worker process.
KILL_DELAY = 30

#: One more try, without a pause.
RETRY_ONCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}


def enqueue(credit_requests: Sequence[UserCreditPathway], deadline: float) -> None:
    """
    Queue pending requests. If the broker does not accept one, that one and the rest fail.

    They also fail if it is too slow to accept them before ``deadline``, a time of ``time.monotonic()``.
    """
    for number, credit_request in enumerate(credit_requests):
        name = f"credit request {credit_request.pk}"
        is_in_time = time.monotonic() < deadline
        if not (is_in_time and publish(TASK, name, credit_request.pk, credit_request.attempts)):
            sending.fail(credit_requests[number:], sending.NOT_QUEUED)
            return
        if import_string(TASK).app.conf.task_always_eager:
            names = ["status", "modified", "sent_to", "attempts", "failure_reason"]
            credit_request.refresh_from_db(using=database.alias(), fields=names)


def publish(task: str, name: str, *args: int | str) -> bool:
    """Publish a task, ``name`` in the log, and return whether the broker accepted it. No personal data in ``args``."""
    try:
        with publish_options() as options:
            import_string(task).apply_async(args, **options)
    except Exception as error:  # noqa: BLE001  each kind of broker has its own errors
        log.warning("%s: not queued: %s", name, type(error).__name__)
        return False
    log.info("%s: queued", name)
    return True


@contextmanager
def publish_options() -> Iterator[dict[str, Any]]:
    """Yield options for ``apply_async`` that publish the task in bounded time, whatever the broker does."""
    from celery import current_app
    from kombu.pools import producers

    # Celery sets the size of all pools when it creates its own, which fails while one of ours is in use.
    current_app.pool  # noqa: B018
    transport_options = _transport_options(current_app.connection_for_write())
    connection = current_app.connection_for_write(connect_timeout=BROKER_TIMEOUT, transport_options=transport_options)
    with producers[connection].acquire(block=True, timeout=BROKER_TIMEOUT) as producer:
        yield {
            "producer": producer,
            "timeout": BROKER_TIMEOUT,
            "confirm_timeout": BROKER_TIMEOUT,
            # Through a new connection: the pooled one may be dead since a restart of the broker.
            "retry": True,
            "retry_policy": RETRY_ONCE,
            "queue": conf.celery_queue(),
            "soft_time_limit": conf.celery_time_limit(),
            "time_limit": conf.celery_time_limit() + KILL_DELAY,
        }


def _transport_options(connection: Any) -> dict[str, Any]:
    """Return options that limit each step, with one attempt to connect to each broker of a failover list."""
    brokers = max(1, len(connection.alt))
    options = {**RETRY_ONCE, "max_retries": brokers - 1, "connect_retries_timeout": brokers * BROKER_TIMEOUT}
    if connection.transport.driver_type == "amqp":
        # A message counts as queued once the broker confirms it.
        return {**options, "confirm_publish": True, "read_timeout": BROKER_TIMEOUT, "write_timeout": BROKER_TIMEOUT}
    return {**options, "socket_timeout": BROKER_TIMEOUT, "socket_connect_timeout": BROKER_TIMEOUT}
