"""``manage.py migrate_demo``: create the demo's tables, in place of a database of an older demo."""

import zlib
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

ROOT = Path(__file__).parents[3]


class Command(BaseCommand):
    """Migrations may be rewritten until the first release, so an old database cannot always be migrated."""

    help = "Create the demo's tables. A SQLite database of an older demo is deleted first."

    def handle(self, *args: Any, **options: Any) -> None:
        if connection.vendor == "sqlite":
            self._delete_old_database()
        call_command("migrate", verbosity=0)
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA user_version = {_schema_version()}")

    def _delete_old_database(self) -> None:
        file = Path(connection.settings_dict["NAME"])
        if _is_demo_database() and _database_version() != _schema_version():
            connection.close()
            file.unlink()
            self.stdout.write(f"Deleted {file.name}: an older version of the demo created it.")


def _is_demo_database() -> bool:
    return any(app == "demo" for app, _name in MigrationRecorder(connection).applied_migrations())


def _schema_version() -> int:
    """Return a number that changes with the migrations, and that fits SQLite's ``user_version``."""
    files = sorted(ROOT.glob("*/migrations/0*.py"))
    return zlib.crc32(b"".join(file.read_bytes() for file in files)) >> 1


def _database_version() -> int:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA user_version")
        return cursor.fetchone()[0]
