"""
Steps of a delivery at which a process kills itself with SIGKILL, once for each request.

A process that the tests start reads from its environment where to die (``KILL_AT``), who dies with it
(``KILL_SCOPE``: the process, or its group), and where to leave a mark of each death (``KILL_MARKS``).
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


def die(key: str | None = None) -> None:
    """Kill this process, or its group, unless that was done for this task already."""
    if key is None:
        key = current_task.request.id if current_task else str(len(list(MARKS.iterdir())))
    try:
        (MARKS / key).touch(exist_ok=False)
    except FileExistsError:
        return
    if os.environ["KILL_SCOPE"] == "group":
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _after_statement(beginning: str, *parts: str) -> None:
    """Die after such a statement was executed."""

    def wrapper(execute: Callable, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith(beginning) and all(part in sql for part in parts):
            die()
        return result

    def install(**kwargs: Any) -> None:
        if wrapper not in connection.execute_wrappers:
            connection.execute_wrappers.append(wrapper)

    connection_created.connect(install, weak=False)


def _on(signal_: Any) -> None:
    def receiver(**kwargs: Any) -> None:
        die()

    signal_.connect(receiver, weak=False)


def _received() -> None:
    """In a worker's main process as soon as it has the message; in its child, just before the task runs."""

    def receiver(request: Any, **kwargs: Any) -> None:
        die(request.id)

    if os.environ["KILL_SCOPE"] == "group":
        signals.task_received.connect(receiver, weak=False)
    else:
        _on(signals.task_prerun)


def _connected() -> None:
    """Connected to the relay, about to say the first word."""

    def hook(event: str, arguments: Any) -> None:
        if event == "smtplib.send":
            die()

    sys.addaudithook(hook)


def _answered() -> None:
    """After an answer to a request for credit, not to any other."""
    asked: list[Any] = []

    def ask(**kwargs: Any) -> None:
        asked.append(kwargs)

    def finish(**kwargs: Any) -> None:
        if asked:
            die()

    credit_requested.connect(ask, weak=False)
    request_finished.connect(finish, weak=False)


TABLE = "credit_pathways_usercreditpathway"

STEPS: dict[str, Callable[[], None]] = {
    "received": _received,
    "locked": lambda: _after_statement("SELECT", TABLE, "FOR UPDATE"),
    "connected": _connected,
    "accepted": lambda: _on(ACE_MESSAGE_SENT),
    "written": lambda: _after_statement("UPDATE", TABLE),
    "retried": lambda: _on(signals.after_task_publish),
    "acknowledging": lambda: _on(signals.task_postrun),
    "inserted": lambda: _after_statement("INSERT", TABLE),
    "committed": lambda: _on(credit_requested),
    "queued": lambda: _on(signals.after_task_publish),
    "answered": _answered,
}


def install() -> None:
    """Prepare to die, where the environment says so."""
    step = os.environ.get("KILL_AT")
    if step:
        STEPS[step]()


MARKS = Path(os.environ.get("KILL_MARKS", "."))
