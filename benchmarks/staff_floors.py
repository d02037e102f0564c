"""
The floors of what staff wait for: the necessary rows by raw SQL, in a bare table, or a file.

The list's rows are found by their keys first, as MariaDB needs it. They stop at as many as the app's list counts.
Whether somebody may see them is the host's to say, and costs both the same.
"""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from benchmarks.handwritten import REPORT, report_sql
from credit_pathways.admin.learner_rows import LISTED
from credit_pathways.exports import COLUMNS

COUNT = "SELECT COUNT(*) FROM (SELECT id FROM credit_pathways_usercreditpathway{where} LIMIT %s) counted"
KEYS = "SELECT id FROM credit_pathways_usercreditpathway{where} ORDER BY created DESC, id DESC LIMIT 50"
ROWS = (
    "SELECT r.id, u.username, w.name, w.org_name, p.title, r.status, r.created"
    " FROM credit_pathways_usercreditpathway r JOIN auth_user u ON u.id = r.user_id"
    " JOIN credit_pathways_pathway w ON w.id = r.pathway_id LEFT JOIN credit_pathways_program p ON p.id = r.program_id"
    " WHERE r.id IN ({keys}) ORDER BY r.created DESC, r.id DESC"
)
EXPORTED = (
    "SELECT r.id, u.username, r.pathway_id, w.name, w.org_name, p.uuid, p.title, r.status, r.created, r.modified"
    " FROM credit_pathways_usercreditpathway r JOIN auth_user u ON u.id = r.user_id"
    " JOIN credit_pathways_pathway w ON w.id = r.pathway_id LEFT JOIN credit_pathways_program p ON p.id = r.program_id"
    " WHERE r.id BETWEEN %s AND %s ORDER BY r.id"
)
CHUNK = 10_000

TABLE = """<!DOCTYPE html><title>Requests</title><p>{{ count }}</p><table>{% for row in rows %}
<tr>{% for cell in row %}<td>{% if forloop.first %}<a href="{{ cell }}/change/">{{ cell }}</a>{% else %}{{ cell }}
{% endif %}</td>{% endfor %}</tr>{% endfor %}</table>"""


def listed(request: HttpRequest) -> HttpResponse:
    """Count the rows and show the newest 50; of one learner, if a username is named."""
    if not request.user.has_perm("credit_pathways.view_usercreditpathway"):
        raise PermissionDenied
    where, params = "", []
    with connection.cursor() as cursor:
        if name := request.GET.get("q"):
            cursor.execute("SELECT id FROM auth_user WHERE username = %s", [name])
            where, params = " WHERE user_id = %s", [cursor.fetchone()[0]]
        cursor.execute(COUNT.format(where=where), [*params, LISTED])
        [count] = cursor.fetchone()
        cursor.execute(KEYS.format(where=where), params)
        keys = ", ".join(str(key) for (key,) in cursor.fetchall())
        cursor.execute(ROWS.format(keys=keys))
        html = _table().render({"count": count, "rows": cursor.fetchall()})
    return HttpResponse(html)


@cache
def _table() -> Any:
    return engines["django"].from_string(TABLE)


def report(since: datetime) -> dict[str, list[tuple[int, ...]]]:
    """Count all tables of the report, as written by hand."""
    counted = {}
    with connection.cursor() as cursor:
        for by in REPORT:
            cursor.execute(*report_sql(connection.vendor, by, since))
            counted[by] = sorted(tuple(int(number) for number in row[-3:]) for row in cursor.fetchall())
    return counted


def export(file: Path) -> None:
    """Write all requests, some thousands at a time; nothing in them is dangerous, so nothing is made safe."""
    with file.open("w", encoding="utf-8", newline="") as target, connection.cursor() as cursor:
        writer = csv.writer(target)
        writer.writerow(COLUMNS)
        cursor.execute("SELECT MAX(id) FROM credit_pathways_usercreditpathway")
        last = cursor.fetchone()[0]
        for start in range(1, last + 1, CHUNK):
            cursor.execute(EXPORTED, [start, start + CHUNK - 1])
            writer.writerows(_cells(cursor.fetchall()))


def _cells(rows: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for pk, username, pathway_id, pathway, institution, uuid, program, status, created, modified in rows:
        key = "" if uuid is None else str(uuid if isinstance(uuid, UUID) else UUID(uuid))
        yield (
            pk, username, pathway_id, pathway, institution, key, program or "", status, _time(created), _time(modified)
        )  # fmt: skip


def _time(moment: datetime) -> str:
    """Return the time in UTC, which it is in where the driver knows no zones."""
    return (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


urlpatterns = [path("floor/list", listed)]
