"""End this thread's session at the database server, as a restart of the server or a proxy's time limit does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.db import OperationalError, connection, connections

from tests.support.threads import wait_until


def killer(alias: str = "default") -> Callable[[], bool]:
    """Return a function, for any thread, that ends the session of this thread, and waits until it has ended."""
    connection = connections[alias]
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        session = connection.connection.info.backend_pid
        statement, sessions = f"SELECT pg_terminate_backend({session})", "SELECT pid FROM pg_stat_activity"
    else:
        session = connection.connection.thread_id()
        statement, sessions = f"KILL {session}", "SELECT id FROM information_schema.processlist"

    def is_gone(cursor: Any) -> bool:
        cursor.execute(sessions)
        return (session,) not in cursor.fetchall()

    def kill() -> bool:
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute(statement)
                wait_until(lambda: is_gone(cursor))
        finally:
            other.close()
        return True

    return kill


@contextmanager
def answer_lost(statement: str, text: str = "") -> Iterator[None]:
    """
    End the session just after the first statement in the block that begins with ``statement`` and contains ``text``.

    The server has executed it, but the block gets an error instead of the answer. ``COMMIT`` is the first commit.
    """
    kill, lost = killer(), []

    def lose() -> None:
        lost.append(kill())
        raise OperationalError("the connection was lost")

    def wrapper(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        result = execute(sql, *args)
        if sql.startswith(statement) and text in sql and not lost:
            lose()
        return result

    def commit(wrapped: Any) -> None:
        original(wrapped)
        if statement == "COMMIT" and not lost:
            lose()

    kind = type(connections["default"])
    original = kind._commit
    with connection.execute_wrapper(wrapper), mock.patch.object(kind, "_commit", commit):
        yield
    assert lost, f"no {statement}"
