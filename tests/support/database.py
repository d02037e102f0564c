"""Empty the test databases quickly, and let another transaction get in the way of this one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from django.apps import apps
from django.contrib.sites.management import create_default_site
from django.core.management.base import BaseCommand
from django.db import OperationalError, connection, connections
from django.db.models import Model

from tests.support.threads import run_concurrently

#: Tests do not change these tables, and filling them again would take most of the time.
KEPT_TABLES = {"auth_permission", "django_content_type"}

#: What makes a connection fail instead of waiting for a lock.
NO_WAITING = {
    "postgresql": "SET lock_timeout = 1",
    "mysql": "SET innodb_lock_wait_timeout = 0",
    "sqlite": "PRAGMA busy_timeout = 0",
}


def flush(_command: BaseCommand, *, database: str, **_options: Any) -> None:
    """
    Do what Django's ``flush`` does after a transactional test, but keep permissions and content types.

    Deleting the rows of a test is also many times faster than PostgreSQL's ``TRUNCATE``.
    """
    connection = connections[database]
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - KEPT_TABLES
    with connection.constraint_checks_disabled():
        connection.ops.execute_sql_flush(
            [f"DELETE FROM {connection.ops.quote_name(table)}" for table in sorted(tables)]  # noqa: S608
        )
    create_default_site(apps.get_app_config("sites"), verbosity=0, using=database)


@contextmanager
def interrupted(
    verb: str, model: type[Model], *, before: Callable[[], Any] | None = None, after: Callable[[], Any] | None = None
) -> Iterator[None]:
    """
    Interrupt this thread at its first statement in the block that begins with ``verb`` and the table of ``model``.

    Another thread, with its own connection, calls ``before`` just before the statement, and ``after`` just after it. It
    fails, without consequences, if it has to wait for this thread.
    """
    statement = f"{verb} {connection.ops.quote_name(model._meta.db_table)}"
    functions = [before, after]

    def call_next() -> None:
        if function := functions.pop(0):
            run_concurrently(1, partial(_call_without_waiting, function))

    def wrapper(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        if not functions or not sql.startswith(statement):
            return execute(sql, *args)
        call_next()
        try:
            return execute(sql, *args)
        finally:
            call_next()

    with connection.execute_wrapper(wrapper):
        yield
    assert not functions, f"no {statement}"


def _call_without_waiting(function: Callable[[], Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(NO_WAITING[connection.vendor])
    with suppress(OperationalError):
        function()
