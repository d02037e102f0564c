"""The app of the unusual host."""

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate

#: SQLite keeps the last id of each table in this table.
CLEAR = "DELETE FROM sqlite_sequence WHERE name LIKE 'credit_pathways%'"
FILL = """
    INSERT INTO sqlite_sequence (name, seq)
    SELECT name, 1000 FROM sqlite_master WHERE type = 'table' AND name LIKE 'credit_pathways%'
"""


class UnusualConfig(AppConfig):
    """The host has had many rows, so the ids of new ones could get a thousand separator."""

    name = "tests.unusual"

    def ready(self) -> None:
        post_migrate.connect(start_ids_above_1000, sender=self)


def start_ids_above_1000(using: str, **kwargs: Any) -> None:
    with connections[using].cursor() as cursor:
        for statement in (CLEAR, FILL):
            cursor.execute(statement)
