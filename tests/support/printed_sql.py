"""Reading and running the SQL texts of the documentation."""

import re
from typing import Any

from django.db import connection

CODE_BLOCK = re.compile(r"^\.\. code-block:: sql\n(?: +:caption: (.+)\n)?\n((?:(?: {3}.+)?\n)+)", re.MULTILINE)

#: Django's vendor name of the databases in a caption. A statement without a caption is for all of them.
VENDORS = {"PostgreSQL": "postgresql", "MySQL and MariaDB": "mysql", "SQLite": "sqlite"}


def statements(text: str) -> dict[str, str]:
    """Return the statements in ``text`` by caption."""
    return dict(CODE_BLOCK.findall(text))


def for_this_database(by_caption: dict[str, str]) -> str:
    vendor = connection.vendor
    [statement] = [text for caption, text in by_caption.items() if VENDORS.get(caption, vendor) == vendor]
    return statement


def execute(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
