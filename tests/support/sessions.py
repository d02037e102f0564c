"""End this thread's session at the database server, as a restart of the server or a proxy's time limit does."""

from collections.abc import Callable

from django.db import connections


def killer(alias: str = "default") -> Callable[[], bool]:
    """Return a function, for any thread, that ends the session of the thread that calls ``killer``."""
    connection = connections[alias]
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        statement = f"SELECT pg_terminate_backend({connection.connection.info.backend_pid})"
    else:
        statement = f"KILL {connection.connection.thread_id()}"

    def kill() -> bool:
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute(statement)
        finally:
            other.close()
        return True

    return kill
