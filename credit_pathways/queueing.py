"""Handing credit requests to Celery. Celery is an extra, so it is imported when it is used."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils.module_loading import import_string

from . import conf, delivery
from .models import UserCreditPathway

log = logging.getLogger(__name__)

#: By name, for tasks are a line above in the layers.
TASK = "credit_pathways.tasks.deliver_credit_request"

#: Seconds that each step of talking to the broker may take; there are three in the worst case (ADR 0012).
PATIENCE = 2

#: Seconds after which a worker process that has not heeded the time limit is killed.
GRACE = 30


def enqueue(credit_request: UserCreditPathway) -> None:
    """Put a pending request into the queue; if the broker does not take it in time, the request fails."""
    try:
        with bounded_options() as options:
            # Nothing but the id: no personal data in the broker.
            import_string(TASK).apply_async([credit_request.pk], **options)
    except Exception as error:  # noqa: BLE001  each kind of broker has errors of its own
        log.warning("credit request %s: not queued: %s", credit_request.pk, type(error).__name__)
        delivery.give_up(credit_request)
    else:
        log.info("credit request %s: queued", credit_request.pk)


@contextmanager
def bounded_options() -> Iterator[dict[str, Any]]:
    """Give the options for publishing the task, within a bounded time whatever the broker does."""
    from celery import current_app
    from kombu.pools import producers

    kind = current_app.connection_for_write().transport.driver_type
    connection = current_app.connection_for_write(connect_timeout=PATIENCE, transport_options=_bounds(kind))
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


def _bounds(kind: str) -> dict[str, Any]:
    """Return the transport options that bound each step, for a kind of broker."""
    if kind == "amqp":
        # A message counts as queued when the broker confirms it.
        return {"max_retries": 0, "confirm_publish": True, "read_timeout": PATIENCE, "write_timeout": PATIENCE}
    if kind == "redis":
        return {"max_retries": 0, "socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
    return {"max_retries": 0}
