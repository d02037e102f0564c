"""The database that the app writes to, and transactions that get in each other's way."""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from sqlite3 import SQLITE_BUSY, SQLITE_BUSY_SNAPSHOT
from typing import Any, TypeVar

from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connections,
    router,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet

from .models import MAX_ID, UserCreditPathway

log = logging.getLogger(__name__)

T = TypeVar("T")
Q = TypeVar("Q", bound="QuerySet[Any]")

#: What databases call a transaction that they rolled back because of another one.
CONFLICT_CODES = {
    "40001",  # PostgreSQL: serialization failure
    "40P01",  # PostgreSQL: deadlock
    1213,  # MySQL and MariaDB: deadlock
    1020,  # MariaDB: the row has changed since the transaction's snapshot
    SQLITE_BUSY,
    SQLITE_BUSY_SNAPSHOT,
}

#: What MySQL and MariaDB report about text that the character set of a column lacks. Other databases: ``DataError``.
TEXT_CODES = {1267, 1270, 1271, 1300, 1366, 1977}

#: In seconds.
MAX_RETRY_PAUSE = 0.1


class UnsupportedText(Exception):
    """The database cannot store a text, or compare with it, for example an emoji in the character set ``utf8mb3``."""


def alias() -> str:
    """Return the alias of the database that the app's rows are written to."""
    return router.db_for_write(UserCreditPathway)


def connection() -> BaseDatabaseWrapper:
    """Return this thread's connection to the database that the app's rows are written to."""
    return connections[alias()]


def primary(queryset: Q) -> Q:
    """Return ``queryset`` on the database that its rows are written to, never on a replica (promise 8)."""
    return queryset.using(router.db_for_write(queryset.model))


def is_id(text: str) -> bool:
    """Return whether ``text`` is a number that the ``id`` of a row can have."""
    return len(text) <= len(str(MAX_ID)) and text.isdecimal() and int(text) <= MAX_ID


def has_row_locks() -> bool:
    """Return whether rows can be locked. SQLite's only lock stops all other writers."""
    return connection().features.has_select_for_update


def exist(*rows: Model) -> bool:
    """Return whether all of the rows are still there."""
    return all(primary(row._meta.base_manager.filter(pk=row.pk)).exists() for row in rows)


def require_no_transaction() -> None:
    """Raise ``RuntimeError`` inside a caller's transaction (not inside the one of Django's ``TestCase``)."""
    with transaction.atomic(using=alias(), durable=True):
        pass


def retry_once(function: Callable[[], T], *, atomic: bool = True, durable: bool = False) -> T:
    """
    Return the result of ``function``, called in a transaction, and once more if another transaction got in its way.

    That is a deadlock, a serialization failure, or a violated constraint: the other one may have written the same row,
    or deleted a row that is referenced. Inside a caller's transaction there is one try, because only the caller can
    begin again. ``function`` must not keep anything that was rolled back. Not ``atomic`` is for functions that do no
    harm if they are called again after their writes.

    Raises:
        RuntimeError: ``durable``, and called inside a transaction.
    """
    call = partial(in_transaction, function, durable=durable) if atomic else function
    if connection().in_atomic_block:
        return call()
    try:
        return call()
    except DatabaseError as error:
        if not _is_conflict(error):
            raise
    # Others whose transaction was rolled back begin again now, too.
    time.sleep(random.uniform(0, MAX_RETRY_PAUSE))  # noqa: S311
    return call()


def reconnect_once(function: Callable[[], T]) -> T:
    """
    Return the result of ``function``, called once more, through a new connection, if the first one was lost.

    Whether its first call wrote anything is unknown then. Inside a transaction there is one try.
    """
    used = connection().connection
    try:
        return function()
    except (InterfaceError, OperationalError):
        # Django may have opened a new one when it left a transaction.
        is_lost = used is None or connection().connection is not used or not connection().is_usable()
        if connection().in_atomic_block or not is_lost:
            raise
    close_old_connections()
    return function()


def in_transaction(function: Callable[[], T], *, durable: bool = False) -> T:
    """
    Return the result of ``function``, called in a transaction.

    Errors after the commit are those of functions for ``on_commit``, mostly the host's. They are only logged.
    """
    results: list[T] = []
    is_committed = False

    def commit() -> None:
        nonlocal is_committed
        is_committed = True

    try:
        with transaction.atomic(using=alias(), durable=durable):
            transaction.on_commit(commit, using=alias())
            results.append(function())
    except Exception as error:
        if not is_committed:
            raise
        log.warning("a function for on_commit raised %s", type(error).__name__)
    return results[0]


@contextmanager
def any_text() -> Iterator[None]:
    """Raise ``UnsupportedText`` for such errors of the database; the rest of a transaction remains possible."""
    try:
        with transaction.atomic(using=alias()) if connection().in_atomic_block else nullcontext():
            yield
    except (DatabaseError, UnicodeError) as error:
        if isinstance(error, DataError | UnicodeError) or not TEXT_CODES.isdisjoint(_codes(error)):
            raise UnsupportedText(str(error)) from error
        raise


def matching(queryset: QuerySet[Any, T]) -> list[T]:
    """Return the rows of a query with text from outside; none if the database cannot even compare with it."""
    try:
        with any_text():
            return list(queryset)
    except UnsupportedText:
        return []


def _is_conflict(error: DatabaseError) -> bool:
    return isinstance(error, IntegrityError) or not CONFLICT_CODES.isdisjoint(_codes(error))


def _codes(error: DatabaseError) -> set[Any]:
    cause: Any = error.__cause__  # the driver's error
    codes = {getattr(cause, name, None) for name in ("sqlstate", "pgcode", "sqlite_errorcode")}
    return {*codes, *getattr(cause, "args", ())[:1]}
