"""A foreign key for a large table, without stopping those who write to it. Figures and reasons are in ADR 0011."""

import abc
import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any

from django.db import IntegrityError, OperationalError, migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState
from django.db.models import Exists, ForeignKey, Model, OuterRef

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


class AddForeignKeyOnline(migrations.AddField):
    """
    Add a nullable foreign key, or take it away, while requests keep arriving.

    The models' state and the schema in the end are those of ``AddField``. PostgreSQL, MySQL and MariaDB get column,
    index and constraint one by one, and a step that is done is not done again: a run that was interrupted is simply
    run again. Other databases get a plain ``AddField``. The migration needs ``atomic = False``.

    Raises:
        OperationalError: the table was never free for a moment. Nothing stays locked.
        IntegrityError: a row written between two runs points at nothing.
    """

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Add the field's column, index and constraint."""
        if table := self._online(app_label, schema_editor, to_state):
            table.add()
        else:
            with _plain(schema_editor) as editor:
                super().database_forwards(app_label, editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop them, the column last."""
        if table := self._online(app_label, schema_editor, from_state):
            table.remove()
        else:
            with _plain(schema_editor) as editor:
                super().database_backwards(app_label, editor, from_state, to_state)

    def _online(self, app_label: str, editor: BaseDatabaseSchemaEditor, state: ProjectState) -> "_Table | None":
        """Return how to do it online; ``None`` where there is no way, or nothing to do."""
        model = state.apps.get_model(app_label, self.model_name)
        table = {"postgresql": _PostgreSQL, "mysql": _MySQL}.get(editor.connection.vendor)
        if table is None or not self.allow_migrate_model(editor.connection.alias, model):
            return None
        return table(editor, model, self.name)


@contextlib.contextmanager
def _plain(editor: BaseDatabaseSchemaEditor) -> Iterator[BaseDatabaseSchemaEditor]:
    """Yield an editor as an atomic migration has it: SQLite copies the whole table to drop a column."""
    if editor.collect_sql:
        yield editor
    else:
        with editor.connection.schema_editor(atomic=True) as atomic_editor:
            yield atomic_editor


class _Table(abc.ABC):
    """The table, and how to change it. Names and most of the SQL are Django's own, from its schema editor."""

    #: What an ``ALTER TABLE`` ends with, and one that adds the constraint.
    online = online_constraint = ""

    def __init__(self, editor: Any, model: type[Model], field_name: str) -> None:
        self.editor = editor
        self.connection = editor.connection
        self.model = model
        self.field: ForeignKey = model._meta.get_field(field_name)  # type: ignore[assignment]
        self.name = editor.quote_name(model._meta.db_table)
        self.constraint = str(editor._fk_constraint_name(model, self.field, CONSTRAINT_SUFFIX))

    def add(self) -> None:
        """Do the steps that are not done yet; if the SQL is only printed, all of them."""
        anew = self.editor.collect_sql
        if anew or not self._has_column():
            self._patiently(self._column_sql("sql_create_column") + self.online)
        if anew or not self._has_index():
            self._create_index()
        if anew or not self._names(foreign_key=True):
            create = self.editor._create_fk_sql(self.model, self.field, CONSTRAINT_SUFFIX)
            self._patiently(f"{create}{self.online_constraint}")
        self._validate()

    def remove(self) -> None:
        """Drop what is there."""
        for name in self._names(foreign_key=True):
            self._patiently(f"{self.editor._delete_fk_sql(self.model, name)}{self.online}")
        self._drop_index()
        if self.editor.collect_sql or self._has_column():
            self._patiently(self._column_sql("sql_delete_column") + self.online)

    def _column_sql(self, template: str) -> str:
        definition, _params = self.editor.column_sql(self.model, self.field)
        column = self.editor.quote_name(self.field.column)
        return getattr(self.editor, template) % {"table": self.name, "column": column, "definition": definition}

    def _has_column(self) -> bool:
        with self.connection.cursor() as cursor:
            columns = self.connection.introspection.get_table_description(cursor, self.model._meta.db_table)
        return self.field.column in {column.name for column in columns}

    def _names(self, **kind: bool) -> list[str]:
        """Return the names of the column's constraints, or indexes."""
        return self.editor._constraint_names(self.model, [self.field.column], **kind)

    def _patiently(self, sql: str) -> None:
        """Run a statement whose lock stops other writers; raise ``OperationalError`` when the attempts are used up."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._short_lock_wait():
                    return self._run(sql)
            except OperationalError as error:
                if not self._is_lock_timeout(error):
                    raise
                log.warning("%s is in use, attempt %s of %s: %s", self.name, attempt, ATTEMPTS, sql)
            time.sleep(PAUSE)
        raise OperationalError(
            f"{self.name} was in use at every one of {ATTEMPTS} attempts to change it. What is done so far stays done "
            f"and nothing is locked: run migrate again, at a quieter time. It was about to run: {sql}"
        )

    def _run(self, sql: str) -> None:
        self.editor.execute(sql, None)

    @abc.abstractmethod
    def _short_lock_wait(self) -> contextlib.AbstractContextManager[Any]:
        """Have the statements of the block give up soon if a lock is not free."""

    @abc.abstractmethod
    def _is_lock_timeout(self, error: OperationalError) -> bool:
        """Return whether ``error`` is a statement's that gave up."""

    @abc.abstractmethod
    def _has_index(self) -> bool:
        """Return whether the index is there, and complete."""

    @abc.abstractmethod
    def _create_index(self) -> None:
        """Create the index while others write."""

    @abc.abstractmethod
    def _drop_index(self) -> None:
        """Drop the index, if the column should not take it along."""

    @abc.abstractmethod
    def _validate(self) -> None:
        """Check the rows that were there before the constraint."""


class _PostgreSQL(_Table):
    online_constraint = " NOT VALID"

    @contextlib.contextmanager
    def _short_lock_wait(self) -> Iterator[None]:
        # Local to a transaction, and so not left behind in a session, which a connection pool may hand to others.
        with transaction.atomic(self.connection.alias):
            self._print("BEGIN;")
            self._run(f"SET LOCAL lock_timeout = '{POSTGRESQL_LOCK_TIMEOUT}'")
            yield
            self._print("COMMIT;")

    def _print(self, sql: str) -> None:
        if self.editor.collect_sql:
            self.editor.collected_sql.append(sql)

    def _is_lock_timeout(self, error: OperationalError) -> bool:
        return isinstance(error.__cause__, self.connection.Database.errors.LockNotAvailable)

    def _index_name(self) -> str:
        return self.editor._create_index_name(self.model._meta.db_table, [self.field.column])

    def _has_index(self) -> bool:
        # An interrupted CREATE INDEX CONCURRENTLY leaves an index that is not valid.
        with self.connection.cursor() as cursor:
            sql = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid"
            cursor.execute(sql, [self.editor.quote_name(self._index_name())])
            return cursor.fetchone() is not None

    def _create_index(self) -> None:
        self._run(self.editor._delete_index_sql(self.model, self._index_name(), concurrently=True))
        self._run(self.editor._create_index_sql(self.model, fields=[self.field], concurrently=True))

    def _drop_index(self) -> None:
        """Leave it: the column takes it along, in no time."""

    def _validate(self) -> None:
        self._run(f"ALTER TABLE {self.name} VALIDATE CONSTRAINT {self.constraint}")


class _MySQL(_Table):
    # Refuses to run rather than block writers; of the ways that do not, the server takes the cheapest.
    online = online_constraint = ", LOCK=NONE"

    @contextlib.contextmanager
    def _short_lock_wait(self) -> Iterator[None]:
        # MySQL adds a foreign key in place only while it does not check foreign keys.
        self._run(
            "SET @lock_wait_timeout = @@SESSION.lock_wait_timeout, @foreign_key_checks = @@SESSION.foreign_key_checks,"
            f" SESSION lock_wait_timeout = {MYSQL_LOCK_WAIT_TIMEOUT}, SESSION foreign_key_checks = 0"
        )
        try:
            yield
        finally:
            self._run(
                "SET SESSION lock_wait_timeout = @lock_wait_timeout, SESSION foreign_key_checks = @foreign_key_checks"
            )

    def _is_lock_timeout(self, error: OperationalError) -> bool:
        return error.args[0] == ER_LOCK_WAIT_TIMEOUT

    def _has_index(self) -> bool:
        return bool(self._names(index=True))

    def _create_index(self) -> None:
        # Plain AddField leaves the index to MySQL, which gives it the name of the constraint.
        create = self.editor._create_index_sql(self.model, fields=[self.field], name=self.constraint)
        self._patiently(f"{create} LOCK=NONE")

    def _drop_index(self) -> None:
        # MySQL drops a column at once only if no index has it; else it copies the table, if without blocking writers.
        for name in self._names(index=True):
            self._patiently(f"ALTER TABLE {self.name} DROP INDEX {self.editor.quote_name(name)}{self.online}")

    def _validate(self) -> None:
        if self.editor.collect_sql:
            return
        target = self.field.target_field
        there = target.model._base_manager.filter(**{target.attname: OuterRef(self.field.attname)})
        rows = self.model._base_manager.using(self.connection.alias)
        pointing = rows.exclude(**{self.field.attname: None}).order_by(self.field.attname)
        row = pointing.exclude(Exists(there)).first()
        if row is not None:
            raise IntegrityError(f"{self.name}: the {self.field.name} of the row with key {row.pk} does not exist")
