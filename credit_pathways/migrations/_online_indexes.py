"""The indexes of a large table, without stopping those who write to it (ADR 0011, ADR 0013)."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState

from ._online import OnlineOperation, plain


class AddIndexOnline(OnlineOperation, migrations.AddIndex):
    """
    Add an index, or take it away, while requests keep arriving.

    The models' state and the schema in the end are those of ``AddIndex``. An index that is there is not made again,
    and one that an interrupted run left incomplete is: that run is simply run again. The migration needs
    ``atomic = False``.

    Raises:
        OperationalError: the table was never free for a moment. Nothing stays locked.
    """

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Create the index."""
        if table := self.table(app_label, schema_editor, to_state):
            table.create_index(self.index)
        elif not self._is_done(app_label, schema_editor, to_state, there=True):
            with plain(schema_editor) as editor:
                super().database_forwards(app_label, editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop the index."""
        if table := self.table(app_label, schema_editor, from_state):
            table.drop_index(self.index.name)
        elif not self._is_done(app_label, schema_editor, from_state, there=False):
            with plain(schema_editor) as editor:
                super().database_backwards(app_label, editor, from_state, to_state)

    def _is_done(self, app_label: str, editor: Any, state: ProjectState, *, there: bool) -> bool:
        """Return whether an interrupted run has left the index as it should be, where nothing is done online."""
        model = state.apps.get_model(app_label, self.model_name)
        if editor.collect_sql or not self.allow_migrate_model(editor.connection.alias, model):
            return False
        return (self.index.name in editor._constraint_names(model, index=True)) is there


class DropForeignKeyIndexOnline(OnlineOperation, migrations.AlterField):
    """
    Drop the index that a foreign key has for itself, or make it again, while requests keep arriving.

    For a field that gets ``db_index=False`` and is otherwise as it was, when another index begins with its column.
    The models' state and the schema in the end are those of ``AlterField``, which would make the constraint again too,
    and lock the table while it looks at every row. The migration needs ``atomic = False``.

    Raises:
        OperationalError: the table was never free for a moment. Nothing stays locked.
    """

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Drop the index."""
        if table := self.table(app_label, schema_editor, to_state):
            table.drop_own_index(table.field(self.name))
        else:
            self._plain(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Make it again, under the name it had."""
        if table := self.table(app_label, schema_editor, to_state):
            table.create_own_index(table.field(self.name))
        else:
            self._plain(app_label, schema_editor, from_state, to_state)

    def _plain(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        # AlterField goes back as it goes forward.
        with plain(schema_editor) as editor:
            super().database_forwards(app_label, editor, from_state, to_state)
