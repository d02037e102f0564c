"""The table of migration 0002, before and after, as the database describes it."""

import re

from django.db import connection, migrations
from django.db.migrations.loader import MigrationLoader

BEFORE, AFTER = "0001_initial", "0002_usercreditpathway_program"
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


def plain_schema():
    """Return the schema that Django's own operation makes."""
    loader = MigrationLoader(connection)
    before, after = (loader.project_state([("credit_pathways", name)]) for name in (BEFORE, AFTER))
    operation = loader.get_migration("credit_pathways", AFTER).operations[0]
    plain = migrations.AddField(operation.model_name, operation.name, operation.field)
    with connection.schema_editor() as editor:
        plain.database_forwards("credit_pathways", editor, before, after)
    found = schema()
    with connection.schema_editor() as editor:
        plain.database_backwards("credit_pathways", editor, after, before)
    return found
