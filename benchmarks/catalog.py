"""``sync_catalog`` of 500 programs and 200 pathways: the first time, and with nothing changed."""

import io
import json
import tempfile
import uuid
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from benchmarks.floors import as_uuid
from benchmarks.harness import Case
from credit_pathways.models import Pathway, Program

PROGRAMS, PATHWAYS, LINKS = 500, 200, 10

LINK = "credit_pathways_pathway_programs"
COLUMNS = {
    "credit_pathways_program": ("uuid", "title", "type", "school", "status"),
    "credit_pathways_pathway": ("uuid", "name", "org_name", "email", "pathway_type", "status"),
}
LINKED = (
    f"SELECT w.uuid, p.uuid FROM {LINK} l JOIN credit_pathways_pathway w ON w.id = l.pathway_id"
    " JOIN credit_pathways_program p ON p.id = l.program_id WHERE w.site_id = 1 AND p.site_id = 1"
)


def items() -> dict[str, list[dict[str, Any]]]:
    """Return a catalog in the shape of Discovery's API, the same each time."""
    programs = [
        {
            "uuid": str(uuid.UUID(int=number + 1)),
            "title": f"Program {number}",
            "type": "MicroMasters",
            "status": "active",
            "authoring_organizations": [{"name": f"School {number % 50}"}],
        }
        for number in range(PROGRAMS)
    ]
    pathways = [
        {
            "uuid": str(uuid.UUID(int=number + 1)),
            "name": f"Pathway {number}",
            "org_name": f"Institution {number % 40}",
            "email": f"registrar{number}@institutions.example",
            "pathway_type": "credit",
            "status": "published",
            "programs": [{"uuid": programs[(number + step) % PROGRAMS]["uuid"]} for step in range(LINKS)],
        }
        for number in range(PATHWAYS)
    ]
    return {"programs": programs, "pathways": pathways}


def synchronize(file: Path) -> None:
    """Run the command."""
    call_command("sync_catalog", file=file, stdout=io.StringIO())


def floor(file: Path) -> None:
    """Read the file and three tables, compare, and insert what is missing, in one transaction; nothing is gone."""
    data = json.loads(file.read_text(encoding="utf-8"))
    wanted = {"credit_pathways_program": _programs(data["programs"]), "credit_pathways_pathway": _pathways(data)}
    links = {(one["uuid"], program["uuid"]) for one in data["pathways"] for program in one["programs"]}
    with transaction.atomic(), connection.cursor() as cursor:
        for table, rows in wanted.items():
            cursor.execute(f"SELECT {', '.join(COLUMNS[table])} FROM {table} WHERE site_id = 1")
            there = {(_text(row[0]), *row[1:]) for row in cursor.fetchall()}
            assert there <= rows
            _insert(cursor, table, ("created", "modified", "site_id", *COLUMNS[table]), sorted(rows - there))
        cursor.execute(LINKED)
        there = {(_text(pathway), _text(program)) for pathway, program in cursor.fetchall()}
        assert there <= links
        _link(cursor, sorted(links - there))


def _programs(data: list[dict[str, Any]]) -> set[tuple[str, ...]]:
    return {
        (one["uuid"], one["title"], one["type"], one["authoring_organizations"][0]["name"], one["status"])
        for one in data
    }


def _pathways(data: dict[str, Any]) -> set[tuple[str, ...]]:
    return {tuple(one[name] for name in COLUMNS["credit_pathways_pathway"]) for one in data["pathways"]}


def _text(value: Any) -> str:
    return str(value if isinstance(value, uuid.UUID) else uuid.UUID(value))


def _insert(cursor: Any, table: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    now = timezone.now()
    _write(cursor, table, columns, [(now, now, 1, as_uuid(uuid.UUID(row[0])), *row[1:]) for row in rows])


def _link(cursor: Any, links: list[tuple[str, str]]) -> None:
    keys: list[dict[str, int]] = []
    for table in COLUMNS if links else ():
        cursor.execute(f"SELECT uuid, id FROM {table} WHERE site_id = 1")
        keys.append({_text(key): pk for key, pk in cursor.fetchall()})
    rows = [(keys[1][pathway], keys[0][program]) for pathway, program in links]
    _write(cursor, LINK, ("pathway_id", "program_id"), rows)


def _write(cursor: Any, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Insert the rows, 100 with each statement."""
    one = f"({', '.join(['%s'] * len(columns))})"
    for start in range(0, len(rows), 100):
        some = rows[start : start + 100]
        values = ", ".join([one] * len(some))
        cursor.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values}", list(chain.from_iterable(some)))


def _empty() -> None:
    Pathway.objects.all().delete()
    Program.objects.all().delete()


def _content(_answer: None) -> tuple[list[Any], ...]:
    """Return what is in the catalog."""
    programs = Program.objects.order_by("uuid").values_list(*COLUMNS["credit_pathways_program"])
    pathways = Pathway.objects.order_by("uuid").values_list(*COLUMNS["credit_pathways_pathway"])
    links = Pathway.objects.order_by("uuid", "programs__uuid").values_list("uuid", "programs__uuid")
    return list(programs), list(pathways), list(links)


def cases() -> Iterator[Case]:
    """Give both cases."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "catalog.json"
        file.write_text(json.dumps(items()), encoding="utf-8")

        def both() -> dict[str, Any]:
            return {"work": lambda: synchronize(file), "floor": lambda: floor(file), "result": _content}

        yield Case(name="sync_catalog, first time", **both(), before=_empty, runs=5)
        synchronize(file)
        yield Case(name="sync_catalog, nothing changed", **both(), runs=10)
        _empty()
