"""A foreign key for a large table, without stopping those who write to it (ADR 0011)."""

import abc
from collections.abc import Mapping
from typing import ClassVar

from django.db import IntegrityError, migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState
from django.db.models import Exists, ForeignKey, OuterRef

from ._online import CONSTRAINT_SUFFIX, MySQL, OnlineOperation, PostgreSQL, Table, plain


class _TableWithForeignKey(Table):
    """A table that gets a foreign key, step by step."""

    #: What an ``ALTER TABLE`` ends with that adds the constraint.
    online_constraint = ""

    def add(self, field: ForeignKey) -> None:
        """Do the steps that are not done yet; if the SQL is only printed, all of them."""
        if self.printing or not self._has_column(field):
            self.patiently(self._column_sql("sql_create_column", field) + self.online)
        self.create_own_index(field)
        if self.printing or not self.names(field, foreign_key=True):
            create = self.editor._create_fk_sql(self.model, field, CONSTRAINT_SUFFIX)
            self.patiently(f"{create}{self.online_constraint}")
        self._validate(field)

    def remove(self, field: ForeignKey) -> None:
        """Drop what is there."""
        for name in self.names(field, foreign_key=True):
            self.patiently(f"{self.editor._delete_fk_sql(self.model, name)}{self.online}")
        self._make_way(field)
        if self.printing or self._has_column(field):
            self.patiently(self._column_sql("sql_delete_column", field) + self.online)

    def _column_sql(self, template: str, field: ForeignKey) -> str:
        definition, _params = self.editor.column_sql(self.model, field)
        column = self.editor.quote_name(field.column)
        return getattr(self.editor, template) % {"table": self.name, "column": column, "definition": definition}

    def _has_column(self, field: ForeignKey) -> bool:
        with self.connection.cursor() as cursor:
            columns = self.connection.introspection.get_table_description(cursor, self.model._meta.db_table)
        return field.column in {column.name for column in columns}

    @abc.abstractmethod
    def _make_way(self, field: ForeignKey) -> None:
        """Drop the index, if the column should not take it along."""

    @abc.abstractmethod
    def _validate(self, field: ForeignKey) -> None:
        """Check the rows that were there before the constraint."""


class _PostgreSQL(_TableWithForeignKey, PostgreSQL):
    online_constraint = " NOT VALID"

    def _make_way(self, field: ForeignKey) -> None:
        """Leave it: the column takes it along, in no time."""

    def _validate(self, field: ForeignKey) -> None:
        self.run(f"ALTER TABLE {self.name} VALIDATE CONSTRAINT {self.constraint(field)}")


class _MySQL(_TableWithForeignKey, MySQL):
    online_constraint = MySQL.online
    # MySQL adds a foreign key in place only while it does not check foreign keys.
    session: ClassVar[Mapping[str, int]] = {**MySQL.session, "foreign_key_checks": 0}

    def _make_way(self, field: ForeignKey) -> None:
        # MySQL drops a column at once only if no index has it; else it copies the table, if without blocking writers.
        self._drop_indexes_of(field)

    def _validate(self, field: ForeignKey) -> None:
        if self.printing:
            return
        target = field.target_field
        there = target.model._base_manager.filter(**{target.attname: OuterRef(field.attname)})
        rows = self.model._base_manager.using(self.connection.alias)
        pointing = rows.exclude(**{field.attname: None}).order_by(field.attname)
        row = pointing.exclude(Exists(there)).first()
        if row is not None:
            raise IntegrityError(f"{self.name}: the {field.name} of the row with key {row.pk} does not exist")


class AddForeignKeyOnline(OnlineOperation, migrations.AddField):
    """
    Add a nullable foreign key, or take it away, while requests keep arriving.

    The models' state and the schema in the end are those of ``AddField``. PostgreSQL, MySQL and MariaDB get column,
    index and constraint one by one, and a step that is done is not done again: a run that was interrupted is simply
    run again. Other databases get a plain ``AddField``. The migration needs ``atomic = False``.

    Raises:
        OperationalError: the table was never free for a moment. Nothing stays locked.
        IntegrityError: a row written between two runs points at nothing.
    """

    tables: ClassVar[Mapping[str, type[Table]]] = {"postgresql": _PostgreSQL, "mysql": _MySQL}

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Add the field's column, index and constraint."""
        if table := self.table(app_label, schema_editor, to_state):
            table.add(table.field(self.name))
        else:
            with plain(schema_editor) as editor:
                super().database_forwards(app_label, editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop them, the column last."""
        if table := self.table(app_label, schema_editor, from_state):
            table.remove(table.field(self.name))
        else:
            with plain(schema_editor) as editor:
                super().database_backwards(app_label, editor, from_state, to_state)
