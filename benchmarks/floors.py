"""
Floors: the least work that gives the same answer as a case, to know how much the app could save at most (ADR 0018).

``send`` and ``page`` are views behind the same middleware as the app's, because session and user are the host's work.
Beyond that there is only raw SQL on one connection, an email that was built before, and the app's own template.
"""

import csv
import json
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import mail
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import path, resolve, reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from credit_pathways.exports import COLUMNS
from credit_pathways.models import UserCreditPathway
from tests.urls import urlpatterns as host_urls

PROGRAM = (
    "SELECT p.id, p.title, p.type, p.school, p.status, s.domain, s.name FROM credit_pathways_program p"
    " JOIN django_site s ON s.id = p.site_id WHERE p.site_id = %s AND p.uuid = %s"
)
PATHWAYS = (
    "SELECT w.id, w.name, w.org_name, w.email FROM credit_pathways_pathway w"
    " JOIN credit_pathways_pathway_programs l ON l.pathway_id = w.id WHERE l.program_id = %s AND w.site_id = %s"
    " AND w.status = 'published' AND w.pathway_type = 'credit' AND w.email <> ''"
)
SHARED_RECORD = "SELECT id, uuid FROM credit_pathways_programcertrecord WHERE program_id = %s AND user_id = %s"
LOCK = (
    "SELECT status, program_id, EXISTS (SELECT 1 FROM credit_pathways_programcertrecord WHERE id = %s)"
    " FROM credit_pathways_usercreditpathway WHERE id = %s"
)
UPDATE = "UPDATE credit_pathways_usercreditpathway SET status = 'sent', modified = %s WHERE id = %s"

#: About as long as the app's.
EMAIL = mail.EmailMultiAlternatives("Request", "text " * 120, "no-reply@example.com", ["registrar@example.com"])
EMAIL.attach_alternative("<p>" + "text " * 200, "text/html")


@csrf_exempt
def send(request: HttpRequest, uuid: UUID) -> JsonResponse:
    """Commit the row before the email is sent, and update it afterwards. The record is shared already."""
    pathway_id = json.loads(request.body)["pathway_id"]
    with connection.cursor() as cursor:
        program_id = _read_program(cursor, uuid)
        _fetch_one(cursor, f"{PATHWAYS} AND w.id = %s", program_id, settings.SITE_ID, pathway_id)
        shared_id, _uuid = _fetch_one(cursor, SHARED_RECORD, program_id, request.user.pk)
        pk = insert_request(cursor, user_id=request.user.pk, pathway_id=pathway_id, program_id=program_id)
        deliver(cursor, shared_id, pk)
    return JsonResponse({"id": pk, "status": "sent"})


def deliver(cursor: Any, shared_id: int, pk: int) -> None:
    """Send the email while the row is locked, after a look at whether the link still works."""
    can_lock = connection.features.has_select_for_update
    with transaction.atomic() if can_lock else nullcontext():
        _fetch_one(cursor, LOCK + (" FOR UPDATE SKIP LOCKED" if can_lock else ""), shared_id, pk)
        mail.get_connection().send_messages([EMAIL])
        cursor.execute(UPDATE, [timezone.now(), pk])


def insert_request(cursor: Any, **values: Any) -> int:
    """Insert a pending request, and return its id."""
    now = timezone.now()
    row = {**default_values(), "created": now, "modified": now, **values}
    placeholders = ", ".join(["%s"] * len(row))
    sql = f"INSERT INTO credit_pathways_usercreditpathway ({', '.join(row)}) VALUES ({placeholders}) RETURNING id"
    return _fetch_one(cursor, sql, *row.values())[0]


@cache
def default_values() -> dict[str, Any]:
    """Return a new request's columns, read from the model so that a new field needs no change here."""
    request = UserCreditPathway()
    fields = [field for field in request._meta.concrete_fields if not field.primary_key]
    return {field.column: field.get_db_prep_save(getattr(request, field.attname), connection) for field in fields}


#: The app's first response for each program's page.
responses: dict[UUID, Any] = {}


def page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Read what the page shows, and render its template with the values of an earlier response."""
    with connection.cursor() as cursor:
        program_id = _read_program(cursor, uuid)
        _fetch_one(cursor, SHARED_RECORD, program_id, request.user.pk)
        cursor.execute(f"{PATHWAYS} ORDER BY w.name, w.id", [program_id, settings.SITE_ID])
        cursor.fetchall()
    if uuid not in responses:
        view = resolve(reverse("credit_pathways:program_record", args=[uuid]))
        responses[uuid] = view.func(request, *view.args, **view.kwargs)
    response = responses[uuid]
    return HttpResponse(render_to_string(response.template_name, response.context_data, request))


def _read_program(cursor: Any, uuid: UUID) -> int:
    value = uuid if connection.features.has_native_uuid_field else uuid.hex
    return _fetch_one(cursor, PROGRAM, settings.SITE_ID, value)[0]


def _fetch_one(cursor: Any, sql: str, *params: Any) -> Sequence[Any]:
    cursor.execute(sql, params)
    return cursor.fetchone()


REPORT = """
SELECT COUNT(*), COUNT(CASE WHEN nth = 1 AND NOT asked_before THEN 1 END), COUNT(DISTINCT user_id)
FROM (
    SELECT {key} AS grouped_by, r.user_id,
        ROW_NUMBER() OVER (PARTITION BY r.user_id, r.pathway_id, r.program_id ORDER BY r.created, r.id) AS nth,
        EXISTS (
            SELECT 1 FROM credit_pathways_usercreditpathway e WHERE e.user_id = r.user_id
            AND e.pathway_id = r.pathway_id AND e.program_id {is_same} r.program_id AND e.created < %s
        ) AS asked_before
    FROM credit_pathways_usercreditpathway r {join} WHERE r.created >= %s
) numbered GROUP BY grouped_by"""
MONTH = {
    "postgresql": "DATE_TRUNC('month', r.created AT TIME ZONE 'UTC')",
    "mysql": "DATE_FORMAT(r.created, '%%Y-%%m')",
    "sqlite": "strftime('%%Y-%%m', r.created)",
}
#: Equal, or both null.
IS_SAME = {"postgresql": "IS NOT DISTINCT FROM", "mysql": "<=>", "sqlite": "IS"}
REPORT_KEYS = {
    "program": "r.program_id",
    "pathway": "r.pathway_id",
    "institution": "w.org_name",
    "status": "r.status",
    "month": MONTH[connection.vendor],
}
REPORT_JOINS = {"institution": "LEFT JOIN credit_pathways_pathway w ON w.id = r.pathway_id"}


def count_report(since: datetime) -> dict[str, list[tuple[int, ...]]]:
    """Return the numbers of each table of the report: requests, first requests, learners."""
    tables = {}
    with connection.cursor() as cursor:
        for by, key in REPORT_KEYS.items():
            join = REPORT_JOINS.get(by, "")
            sql = REPORT.format(key=key, is_same=IS_SAME[connection.vendor], join=join)
            cursor.execute(sql, [since, since])
            tables[by] = sorted(cursor.fetchall())
    return tables


EXPORT = (
    "SELECT r.id, u.username, r.pathway_id, w.name, w.org_name, p.uuid, p.title, r.status, r.completed,"
    " r.sent_to, r.attempts, r.failure_reason, r.bounced_at, r.bounce_reason, r.created, r.modified"
    " FROM credit_pathways_usercreditpathway r JOIN auth_user u ON u.id = r.user_id"
    " JOIN credit_pathways_pathway w ON w.id = r.pathway_id LEFT JOIN credit_pathways_program p ON p.id = r.program_id"
    " WHERE r.id BETWEEN %s AND %s ORDER BY r.id"
)
EXPORT_CHUNK = 10_000


def export(file: Path) -> None:
    """Write as many rows as the app does, in chunks for constant memory, without making their cells safe."""
    with file.open("w", encoding="utf-8", newline="") as target, connection.cursor() as cursor:
        writer = csv.writer(target)
        writer.writerow(COLUMNS)
        [last] = _fetch_one(cursor, "SELECT MAX(id) FROM credit_pathways_usercreditpathway")
        for start in range(1, last + 1, EXPORT_CHUNK):
            cursor.execute(EXPORT, [start, start + EXPORT_CHUNK - 1])
            writer.writerows(cursor.fetchall())


urlpatterns = [
    *host_urls,
    path("floor/<uuid:uuid>/send", send, name="floor_send"),
    path("floor/<uuid:uuid>/page", page, name="floor_page"),
]
