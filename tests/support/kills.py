"""
Make a process kill itself with SIGKILL at a step of a delivery, once for each request.

Environment variables say at which step (``KILL_AT``), whether to kill the ``process`` or its whole ``group``
(``KILL_SCOPE``), and in which directory to create a file for each kill (``KILL_MARKS``).
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import current_task, signals
from django.core.signals import request_finished
from django.db import connection
from django.db.backends.signals import connection_created
from edx_ace.signals import ACE_MESSAGE_SENT

from credit_pathways.signals import credit_requested


def kill(key: str | None = None) -> None:
    """Kill this process or its group, unless that was already done for this task."""
    if key is None:
        key = current_task.request.id if current_task else str(len(list(MARKS.iterdir())))
    try:
        (MARKS / key).touch(exist_ok=False)
    except FileExistsError:
        return
    if os.environ["KILL_SCOPE"] == "group":
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _after_statement(start: str, *parts: str) -> None:
    """Kill after a SQL statement that begins with ``start`` and contains ``parts``."""

    def wrapper(execute: Callable, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith(start) and all(part in sql for part in parts):
            kill()
        return result

    def install(**kwargs: Any) -> None:
        if wrapper not in connection.execute_wrappers:
            connection.execute_wrappers.append(wrapper)

    connection_created.connect(install, weak=False)


def _on(signal_: Any) -> None:
    def receiver(**kwargs: Any) -> None:
        kill()

    signal_.connect(receiver, weak=False)


def _received() -> None:
    """Kill the worker as soon as it receives the message, or its child process just before the task runs."""

    def receiver(request: Any, **kwargs: Any) -> None:
        kill(request.id)

    if os.environ["KILL_SCOPE"] == "group":
        signals.task_received.connect(receiver, weak=False)
    else:
        _on(signals.task_prerun)


def _connected() -> None:
    """Kill after connecting to the SMTP server, before sending the first command."""

    def hook(event: str, arguments: Any) -> None:
        if event == "smtplib.send":
            kill()

    sys.addaudithook(hook)


def _responded() -> None:
    """Kill after the response to a credit request, but to no other HTTP request."""
    credit_requests: list[Any] = []

    def remember(**kwargs: Any) -> None:
        credit_requests.append(kwargs)

    def finish(**kwargs: Any) -> None:
        if credit_requests:
            kill()

    credit_requested.connect(remember, weak=False)
    request_finished.connect(finish, weak=False)


TABLE = "credit_pathways_usercreditpathway"

STEPS: dict[str, Callable[[], None]] = {
    "received": _received,
    "started": lambda: _after_statement("UPDATE", TABLE),
    "locked": lambda: _after_statement("SELECT", TABLE, "FOR UPDATE"),
    "connected": _connected,
    "accepted": lambda: _on(ACE_MESSAGE_SENT),
    "written": lambda: _after_statement("UPDATE", TABLE, "sent_to"),
    "retried": lambda: _on(signals.after_task_publish),
    "acknowledging": lambda: _on(signals.task_postrun),
    "inserted": lambda: _after_statement("INSERT", TABLE),
    "committed": lambda: _on(credit_requested),
    "queued": lambda: _on(signals.after_task_publish),
    "responded": _responded,
}


def install() -> None:
    """Prepare the kill that the environment asks for, if any."""
    step = os.environ.get("KILL_AT")
    if step:
        STEPS[step]()


MARKS = Path(os.environ.get("KILL_MARKS", "."))
