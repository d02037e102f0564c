"""The table of migrations 0002 and 0003, before and after, as the database describes it."""

import re

from django.db import connection, migrations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

BEFORE, AFTER, INDEXED = "0001_initial", "0002_usercreditpathway_program", "0003_indexes"
#: Django's own operations, whose schema those of the app have to reach.
PLAIN = {
    "AddForeignKeyOnline": migrations.AddField,
    "AddIndexOnline": migrations.AddIndex,
    "DropForeignKeyIndexOnline": migrations.AlterField,
}
TABLE = "credit_pathways_usercreditpathway"

#: All that a database knows of the table.
SCHEMA = {
    "postgresql": f"""
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '{TABLE}'::regclass UNION ALL
        SELECT indexdef, indisvalid::text FROM pg_index JOIN pg_indexes ON indexrelid = indexname::regclass
            WHERE tablename = '{TABLE}' UNION ALL
        SELECT column_name, data_type || is_nullable || coalesce(column_default, '')
            FROM information_schema.columns WHERE table_name = '{TABLE}' ORDER BY 1""",  # noqa: S608
    "mysql": f"SHOW CREATE TABLE {TABLE}",
    "sqlite": f"SELECT sql FROM sqlite_master WHERE tbl_name = '{TABLE}' ORDER BY name",  # noqa: S608
}
#: What a statement that gives up soon leaves as it was.
SESSION = {
    "postgresql": "SHOW lock_timeout",
    "mysql": "SELECT @@lock_wait_timeout, @@foreign_key_checks",
}


def columns():
    with connection.cursor() as cursor:
        return {column.name for column in connection.introspection.get_table_description(cursor, TABLE)}


def asked(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def schema():
    # How many rows there have been is no part of it.
    return [tuple(re.sub(r" AUTO_INCREMENT=\d+", "", text) for text in row) for row in asked(SCHEMA[connection.vendor])]


def plain_steps(start, target):
    """Return Django's own operations for one migration, each with the states before and after it."""
    loader = MigrationLoader(connection)
    state = loader.project_state([("credit_pathways", start)])
    steps = []
    for operation in loader.get_migration("credit_pathways", target).operations:
        name, args, values = operation.deconstruct()
        plain = PLAIN.get(name, type(operation))(*args, **values)
        before, state = state, state.clone()
        plain.state_forwards("credit_pathways", state)
        steps.append((plain, before, state))
    return steps


def migrate_plainly(start, target):
    """Migrate one step forward with Django's own operations."""
    for operation, before, after in plain_steps(start, target):
        with connection.schema_editor() as editor:
            operation.database_forwards("credit_pathways", editor, before, after)
    MigrationRecorder(connection).record_applied("credit_pathways", target)
