"""Handing credit requests to Celery. Celery is an extra, so it is imported when it is used."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.utils.module_loading import import_string

from .. import conf
from ..models import UserCreditPathway
from . import sending

log = logging.getLogger(__name__)

#: By name, for tasks are a line above in the layers.
TASK = "credit_pathways.tasks.deliver_credit_request"

#: Seconds that each step of talking to the broker may take; there are three in the worst case (ADR 0012).
PATIENCE = 2

#: Seconds after which a worker process that has not heeded the time limit is killed.
GRACE = 30


def enqueue(credit_requests: Iterable[UserCreditPathway]) -> None:
    """Put pending requests into the queue. If the broker does not take one in time, it fails, and so does the rest."""
    broker_answers = True
    for credit_request in credit_requests:
        broker_answers = broker_answers and _publish(credit_request)
        if not broker_answers:
            _give_up(credit_request)


def _give_up(credit_request: UserCreditPathway) -> None:
    """Fail the request; if not even that can be written down, say so at least to the learner who waits."""
    try:
        sending.give_up(credit_request)
    except Exception as error:  # noqa: BLE001  the database is away as well, or the row is gone
        log.warning("credit request %s: %s", credit_request.pk, type(error).__name__)
        credit_request.status = UserCreditPathway.Status.FAILED


def _publish(credit_request: UserCreditPathway) -> bool:
    """Return whether the broker took the request."""
    task = import_string(TASK)
    try:
        with bounded_options() as options:
            # Nothing but the id: no personal data in the broker.
            task.apply_async([credit_request.pk], **options)
    except Exception as error:  # noqa: BLE001  each kind of broker has errors of its own
        log.warning("credit request %s: not queued: %s", credit_request.pk, type(error).__name__)
        return False
    log.info("credit request %s: queued", credit_request.pk)
    if task.app.conf.task_always_eager:
        credit_request.refresh_from_db(fields=["status"])
    return True


@contextmanager
def bounded_options() -> Iterator[dict[str, Any]]:
    """Give the options for publishing the task, within a bounded time whatever the broker does."""
    from celery import current_app
    from kombu.pools import producers

    # Celery sets the size of all pools when it first makes its own, and cannot while ours is in use.
    current_app.pool  # noqa: B018  made by being asked for
    bounds = _bounds(current_app.connection_for_write())
    connection = current_app.connection_for_write(connect_timeout=PATIENCE, transport_options=bounds)
    with producers[connection].acquire(block=True, timeout=PATIENCE) as producer:
        yield {
            "producer": producer,
            "timeout": PATIENCE,
            "confirm_timeout": PATIENCE,
            # Once more, over a new connection: the pooled one may be dead since the broker was restarted.
            "retry": True,
            "retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
            "queue": conf.celery_queue(),
            "soft_time_limit": conf.celery_time_limit(),
            "time_limit": conf.celery_time_limit() + GRACE,
        }


def _bounds(connection: Any) -> dict[str, Any]:
    """Return the transport options that bound each step: one attempt to connect for each broker of a failover list."""
    brokers = max(1, len(connection.alt))
    once = {"max_retries": brokers - 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
    bounds = {**once, "connect_retries_timeout": brokers * PATIENCE}
    if connection.transport.driver_type == "amqp":
        # A message counts as queued when the broker confirms it.
        return {**bounds, "confirm_publish": True, "read_timeout": PATIENCE, "write_timeout": PATIENCE}
    return {**bounds, "socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
