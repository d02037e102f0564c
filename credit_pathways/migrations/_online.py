"""
How to change a large table without stopping those who write to it. Figures and reasons are in ADR 0011.

Names and most of the SQL are Django's own, from its schema editor.
"""

import abc
import contextlib
import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.db import OperationalError, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import ForeignKey, Index, Model

log = logging.getLogger(__name__)

# All who come after a statement that waits for its lock wait behind it. So it waits for a short time, gives up, lets
# them pass, and tries again.
#: Less than ``deadlock_timeout`` (1 s): where a request and the migration block each other, the migration gives up.
POSTGRESQL_LOCK_TIMEOUT = "500ms"
#: Seconds; MySQL knows no shorter time.
MYSQL_LOCK_WAIT_TIMEOUT = 1
#: Seconds between attempts.
PAUSE = 2
ATTEMPTS = 60

ER_LOCK_WAIT_TIMEOUT = 1205
#: Django's own, for every foreign key.
CONSTRAINT_SUFFIX = "_fk_%(to_table)s_%(to_column)s"


@contextlib.contextmanager
def plain(editor: BaseDatabaseSchemaEditor) -> Iterator[BaseDatabaseSchemaEditor]:
    """Yield an editor as an atomic migration has it: SQLite copies the whole table to change a column."""
    if editor.collect_sql:
        yield editor
    else:
        with editor.connection.schema_editor(atomic=True) as atomic_editor:
            yield atomic_editor


class Table(abc.ABC):
    """A table, and how to change it. A step that is done is not done again; if the SQL is only printed, all are."""

    #: What an ``ALTER TABLE`` ends with.
    online = ""

    def __init__(self, editor: Any, model: type[Model]) -> None:
        """Take Django's editor, and a model as it is in the migration's state."""
        self.editor = editor
        self.connection = editor.connection
        self.printing: bool = editor.collect_sql
        self.model = model
        self.name = editor.quote_name(model._meta.db_table)

    def field(self, name: str) -> ForeignKey:
        """Return a foreign key of the table."""
        return self.model._meta.get_field(name)  # type: ignore[return-value]

    def create_index(self, index: Index) -> None:
        """Create it while others write, unless it is there and complete."""
        if self.printing or not self.has_index(index.name):
            self._create_index(index)

    def create_own_index(self, field: ForeignKey) -> None:
        """Create the index that a foreign key has for itself, under the name that Django, or the server, gives it."""
        if self.printing or not self.has_own_index(field):
            self._create_index(Index(fields=[field.name], name=self._own_name(field)))

    def constraint(self, field: ForeignKey) -> str:
        """Return the quoted name of a foreign key's constraint."""
        return str(self.editor._fk_constraint_name(self.model, field, CONSTRAINT_SUFFIX))

    def names(self, field: ForeignKey | None = None, **kind: bool) -> list[str]:
        """Return the names of the constraints, or indexes, of exactly this column, or of all."""
        return self.editor._constraint_names(self.model, [field.column] if field else None, **kind)

    def patiently(self, sql: str) -> None:
        """Run a statement whose lock stops other writers; raise ``OperationalError`` when the attempts are used up."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._short_lock_wait():
                    return self.run(sql)
            except OperationalError as error:
                if not self._is_lock_timeout(error):
                    raise
                log.warning("%s is in use, attempt %s of %s: %s", self.name, attempt, ATTEMPTS, sql)
            time.sleep(PAUSE)
        raise OperationalError(
            f"{self.name} was in use at every one of {ATTEMPTS} attempts to change it. What is done so far stays done "
            f"and nothing is locked: run migrate again, at a quieter time. It was about to run: {sql}"
        )

    def run(self, sql: Any) -> None:
        """Run, or print, a statement."""
        self.editor.execute(sql, None)

    def _print(self, line: str) -> None:
        if self.printing:
            self.editor.collected_sql.append(line)

    @abc.abstractmethod
    def has_index(self, name: str) -> bool:
        """Return whether the index is there, and complete."""

    @abc.abstractmethod
    def has_own_index(self, field: ForeignKey) -> bool:
        """Return whether the foreign key has an index for itself, and a complete one."""

    @abc.abstractmethod
    def drop_index(self, name: str) -> None:
        """Drop the index, if it is there, while others write."""

    @abc.abstractmethod
    def drop_own_index(self, field: ForeignKey) -> None:
        """Drop the index that a foreign key has for itself, if it is there, while others write."""

    @abc.abstractmethod
    def _create_index(self, index: Index) -> None:
        """Create the index while others write."""

    @abc.abstractmethod
    def _own_name(self, field: ForeignKey) -> str:
        """Return the name of the index that a foreign key has for itself."""

    @abc.abstractmethod
    def _short_lock_wait(self) -> contextlib.AbstractContextManager[Any]:
        """Have the statements of the block give up soon if a lock is not free."""

    @abc.abstractmethod
    def _is_lock_timeout(self, error: OperationalError) -> bool:
        """Return whether ``error`` is a statement's that gave up."""


class PostgreSQL(Table):
    """Indexes are made and dropped ``CONCURRENTLY``: they wait for others, and nobody waits for them."""

    def has_index(self, name: str) -> bool:
        """Return whether the index is there, and complete."""
        # An interrupted CREATE INDEX CONCURRENTLY leaves an index that is not valid.
        with self.connection.cursor() as cursor:
            sql = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid"
            cursor.execute(sql, [self.editor.quote_name(name)])
            return cursor.fetchone() is not None

    def has_own_index(self, field: ForeignKey) -> bool:
        """Return whether the foreign key has an index for itself, and a complete one."""
        return self.has_index(self._own_name(field))

    def drop_index(self, name: str) -> None:
        """Drop the index, if it is there, while others write."""
        self.run(self.editor._delete_index_sql(self.model, name, concurrently=True))

    def drop_own_index(self, field: ForeignKey) -> None:
        """Drop the index that Django has made for the foreign key, and none that somebody else has."""
        self.drop_index(self._own_name(field))

    def _create_index(self, index: Index) -> None:
        self.drop_index(index.name)
        self.run(index.create_sql(self.model, self.editor, concurrently=True))

    def _own_name(self, field: ForeignKey) -> str:
        return self.editor._create_index_name(self.model._meta.db_table, [field.column])

    @contextlib.contextmanager
    def _short_lock_wait(self) -> Iterator[None]:
        # Local to a transaction, and so not left behind in a session, which a connection pool may hand to others.
        with transaction.atomic(self.connection.alias):
            self._print("BEGIN;")
            self.run(f"SET LOCAL lock_timeout = '{POSTGRESQL_LOCK_TIMEOUT}'")
            yield
            self._print("COMMIT;")

    def _is_lock_timeout(self, error: OperationalError) -> bool:
        return isinstance(error.__cause__, self.connection.Database.errors.LockNotAvailable)


class MySQL(Table):
    """MySQL and MariaDB. Each statement needs the table for itself for a moment, and waits for that patiently."""

    # Refuses to run rather than block writers; of the ways that do not, the server takes the cheapest.
    online = ", LOCK=NONE"
    #: Variables of the session while a statement waits.
    session: ClassVar[Mapping[str, int]] = {"lock_wait_timeout": MYSQL_LOCK_WAIT_TIMEOUT}

    def has_index(self, name: str) -> bool:
        """Return whether the index is there; it is complete then."""
        return name in self.names(index=True)

    def has_own_index(self, field: ForeignKey) -> bool:
        """Return whether the foreign key has an index for itself."""
        return bool(self.names(field, index=True))

    def drop_index(self, name: str) -> None:
        """Drop the index, if it is there, while others write."""
        if self.printing or self.has_index(name):
            self._drop_index(self.editor.quote_name(name))

    def drop_own_index(self, field: ForeignKey) -> None:
        """
        Drop the index of exactly the foreign key's column, if it is there.

        The server makes one with the constraint, and drops that one by itself when there is another index that begins
        with the column; one that was made by a statement has to be dropped.
        """
        if not self.printing:
            self._drop_indexes_of(field)
        elif self.connection.mysql_is_mariadb:
            self._drop_index(f"IF EXISTS {self._own_name(field)}")
        else:
            self._print("-- Leave this out if the index is gone already:")
            self._drop_index(self._own_name(field))

    def _drop_indexes_of(self, field: ForeignKey) -> None:
        for name in self.names(field, index=True):
            self._drop_index(self.editor.quote_name(name))

    def _drop_index(self, quoted: str) -> None:
        self.patiently(f"ALTER TABLE {self.name} DROP INDEX {quoted}{self.online}")

    def _create_index(self, index: Index) -> None:
        self.patiently(f"{index.create_sql(self.model, self.editor)} LOCK=NONE")

    def _own_name(self, field: ForeignKey) -> str:
        # Django leaves the index to the server, which gives it the name of the constraint.
        return self.constraint(field)

    @contextlib.contextmanager
    def _short_lock_wait(self) -> Iterator[None]:
        keep = ", ".join(f"@{name} = @@SESSION.{name}" for name in self.session)
        change = ", ".join(f"SESSION {name} = {value}" for name, value in self.session.items())
        self.run(f"SET {keep}, {change}")
        try:
            yield
        finally:
            self.run("SET " + ", ".join(f"SESSION {name} = @{name}" for name in self.session))

    def _is_lock_timeout(self, error: OperationalError) -> bool:
        return error.args[0] == ER_LOCK_WAIT_TIMEOUT


class OnlineOperation(Operation):
    """What the operations have in common: who does it, by the database's vendor."""

    model_name: str
    tables: ClassVar[Mapping[str, type[Table]]] = {"postgresql": PostgreSQL, "mysql": MySQL}

    def table(self, app_label: str, editor: BaseDatabaseSchemaEditor, state: ProjectState) -> Any:
        """Return the table, to change it online; ``None`` where there is no way, or nothing to do."""
        model = state.apps.get_model(app_label, self.model_name)
        table = self.tables.get(editor.connection.vendor)
        if table is None or not self.allow_migrate_model(editor.connection.alias, model):
            return None
        return table(editor, model)
