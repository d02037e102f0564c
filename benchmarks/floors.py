"""
The floors: for each case the least work that does the same job.

Each is a Django view behind the same middleware as the app's, for a request that nobody parses is not the same job; and
who asks is the host's to say, to both of them. In it there is raw SQL for the rows that cannot be done without, on one
connection, and what is shown of them: one message that was rendered before, or the app's own template. No ORM, no
serializers, no edx-ace. The answers are the app's, to the letter.

With ``?user=raw`` session and user are read by raw SQL, too, which no app can have its host do.
"""

import csv
import io
import json
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import mail
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from benchmarks.staff_floors import urlpatterns as of_staff
from tests.support.record_source import FixedRecordSource
from tests.urls import urlpatterns as of_host

SESSION = "SELECT session_data FROM django_session WHERE session_key = %s AND expire_date > %s"
USER = "SELECT id, username, first_name, last_name, email FROM auth_user WHERE id = %s"
PROGRAM = (
    "SELECT p.id, p.title, p.type, p.school, s.domain, s.name FROM credit_pathways_program p"
    " JOIN django_site s ON s.id = p.site_id WHERE p.site_id = %s AND p.uuid = %s"
)
#: What the templates call the columns of a program and its site.
PROGRAM_COLUMNS = ("pk", "title", "type", "school", "domain", "platform_name")
LINK = "SELECT id, uuid FROM credit_pathways_programcertrecord WHERE program_id = %s AND user_id = %s"
PATHWAYS = (
    "SELECT w.id, w.name, w.org_name, w.email FROM credit_pathways_pathway w"
    " JOIN credit_pathways_pathway_programs l ON l.pathway_id = w.id WHERE l.program_id = %s AND w.site_id = %s"
    " AND w.status = 'published' AND w.pathway_type = 'credit' AND w.email <> ''"
)
SHARED = (
    "SELECT u.id, u.username, u.first_name, u.last_name, u.email, p.id, p.title, p.type, p.school, s.domain, s.name"
    " FROM credit_pathways_programcertrecord r JOIN auth_user u ON u.id = r.user_id"
    " JOIN credit_pathways_program p ON p.id = r.program_id JOIN django_site s ON s.id = p.site_id WHERE r.uuid = %s"
)
PROGRAMS = "SELECT id, uuid, title, type, school FROM credit_pathways_program WHERE site_id = %s ORDER BY title"
LINKS = "SELECT program_id FROM credit_pathways_programcertrecord WHERE user_id = %s"
INSERT = (
    "INSERT INTO credit_pathways_usercreditpathway (created, modified, status, user_id, pathway_id, program_id)"
    " VALUES (%s, %s, 'pending', %s, %s, %s)"
)
INSERT_LINK = (
    "INSERT INTO credit_pathways_programcertrecord (created, modified, uuid, program_id, user_id)"
    " VALUES (%s, %s, %s, %s, %s)"
)
LOCK = (
    "SELECT status, program_id, EXISTS (SELECT 1 FROM credit_pathways_programcertrecord WHERE id = %s)"
    " FROM credit_pathways_usercreditpathway WHERE id = %s"
)
UPDATE = "UPDATE credit_pathways_usercreditpathway SET status = 'sent', modified = %s WHERE id = %s"


def as_uuid(value: UUID) -> Any:
    """Return a uuid as the database's own type, or as the text that it keeps."""
    return value if connection.features.has_native_uuid_field else value.hex


def _one(cursor: Any, sql: str, *params: Any) -> Sequence[Any]:
    cursor.execute(sql, params)
    return cursor.fetchone()


def _user(cursor: Any, request: HttpRequest) -> Any:
    """Return who asks, as the host knows; or read session and user, and of the session no more than its signature."""
    if "user" not in request.GET:
        return request.user
    key = request.COOKIES["sessionid"]
    (data,) = _one(cursor, SESSION, key, timezone.now())
    user_id = request.session.decode(data)["_auth_user_id"]  # type: ignore[attr-defined]
    names = ("pk", "username", "first_name", "last_name", "email")
    user = dict(zip(names, _one(cursor, USER, user_id), strict=True))
    return SimpleNamespace(**user, get_username=lambda: user["username"])


def _public_url(program: Any, uuid: Any) -> str:
    return f"https://{program.domain}{reverse('credit_pathways:public_record', args=[UUID(str(uuid))])}"


def _program(cursor: Any, uuid: UUID) -> Any:
    row = _one(cursor, PROGRAM, 1, as_uuid(uuid))
    return SimpleNamespace(uuid=uuid, **dict(zip(PROGRAM_COLUMNS, row, strict=True)))


#: As long as the app's, rendered before.
MESSAGE = mail.EmailMultiAlternatives("Request", "text " * 120, "no-reply@example.com", ["registrar@example.com"])
MESSAGE.attach_alternative("<p>" + "text " * 200, "text/html")


#: The list of Redis that floors use, and a message as long as Celery's.
LIST = "benchmarks-floor"
QUEUED = b"m" * 900


def _insert(cursor: Any, sql: str, *params: Any) -> int:
    """Write the row, and return its key."""
    if connection.vendor == "postgresql":
        return _one(cursor, f"{sql} RETURNING id", *params)[0]
    cursor.execute(sql, params)
    return cursor.lastrowid


def _requests(cursor: Any, user: Any, program: Any, pathway_ids: Sequence[int]) -> tuple[int, list[int]]:
    """Write the link, if there is none, and a row for each pathway, with one commit; return their keys."""
    now = timezone.now()
    found = _one(cursor, LINK, program.pk, user.pk)
    with nullcontext() if found and len(pathway_ids) == 1 else transaction.atomic():
        new = (now, now, as_uuid(UUID(int=user.pk)), program.pk, user.pk)
        link = found[0] if found else _insert(cursor, INSERT_LINK, *new)
        keys = [_insert(cursor, INSERT, now, now, user.pk, pathway_id, program.pk) for pathway_id in pathway_ids]
    return link, keys


def deliver(cursor: Any, link: int, pk: int) -> None:
    """With the row locked, see that the link is alive, send the message, change the row."""
    locks = connection.features.has_select_for_update
    with transaction.atomic() if locks else nullcontext():
        _one(cursor, LOCK + (" FOR UPDATE SKIP LOCKED" if locks else ""), link, pk)
        mail.get_connection().send_messages([MESSAGE])
        cursor.execute(UPDATE, (timezone.now(), pk))


def _request(cursor: Any, request: HttpRequest, uuid: UUID) -> tuple[int, int]:
    """Read five rows for the JSON of ``send``, and write one; return the keys of the link and of the row."""
    pathway_id = json.loads(request.body)["pathway_id"]
    user, program = _user(cursor, request), _program(cursor, uuid)
    _one(cursor, f"{PATHWAYS} AND w.id = %s", program.pk, 1, pathway_id)
    link, [pk] = _requests(cursor, user, program, [pathway_id])
    return link, pk


@csrf_exempt
def send(request: HttpRequest, uuid: UUID) -> JsonResponse:
    """Write the row before the mail, lock it and change it afterwards."""
    with connection.cursor() as cursor:
        link, pk = _request(cursor, request, uuid)
        deliver(cursor, link, pk)
    return JsonResponse({"id": pk, "status": "sent"})


@csrf_exempt
def enqueue(request: HttpRequest, uuid: UUID) -> JsonResponse:
    """Write the row, and put a message that was made before into a queue of Redis."""
    with connection.cursor() as cursor:
        _link, pk = _request(cursor, request, uuid)
    _redis().lpush(LIST, QUEUED)
    return JsonResponse({"id": pk, "status": "pending"}, status=202)


@cache
def _redis() -> Any:
    from redis import Redis

    return Redis.from_url(settings.CELERY_BROKER_URL)


@csrf_exempt
def form(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Do the same for several pathways, each with its mail."""
    ids = [int(pk) for pk in request.POST.getlist("pathway")]
    with connection.cursor() as cursor:
        user, program = _user(cursor, request), _program(cursor, uuid)
        cursor.execute(PATHWAYS, (program.pk, 1))
        cursor.fetchall()
        link, keys = _requests(cursor, user, program, ids)
        for pk in keys:
            deliver(cursor, link, pk)
    return HttpResponse(status=302, headers={"Location": "/"})


def _record(user: Any, program: Any) -> Any:
    """Return what the templates show, without the app's objects."""
    progress = FixedRecordSource().progress(user, program)
    assert progress is not None
    earned = sum(course.issue_date is not None for course in progress.courses)
    site = SimpleNamespace(records_help_url="")
    return SimpleNamespace(
        user=user, email=user.email, full_name=f"{user.first_name} {user.last_name}", program=program,
        progress=progress, earned=earned, empty=not earned, platform_name=program.platform_name,
        site_configuration=site,
    )  # fmt: skip


def page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Read four rows and the pathways; show them in the app's template."""
    with connection.cursor() as cursor:
        user, program = _user(cursor, request), _program(cursor, uuid)
        _key, link = _one(cursor, LINK, program.pk, user.pk)
        cursor.execute(f"{PATHWAYS} ORDER BY w.name, w.id", (program.pk, 1))
        pathways = [SimpleNamespace(pk=pk, name=name, org_name=org) for pk, name, org, _email in cursor.fetchall()]
    record = _record(user, program)
    record.shared_record = link
    context = {"record": record, "pathways": pathways, "public_url": _public_url(program, link)}
    return HttpResponse(render_to_string("credit_pathways/program_record.html", context, request))


def record_json(request: HttpRequest, uuid: UUID) -> JsonResponse:
    """Read the same rows, and give them as JSON."""
    with connection.cursor() as cursor:
        user, program = _user(cursor, request), _program(cursor, uuid)
        _key, link = _one(cursor, LINK, program.pk, user.pk)
        cursor.execute(f"{PATHWAYS} ORDER BY w.name, w.id", (program.pk, 1))
        always = {"status": "", "is_active": True, "pathway_type": "credit"}
        pathways = [{"name": name, "id": pk, **always} for pk, name, _org, _email in cursor.fetchall()]
    record = _record(user, program)
    data = {
        "learner": {"full_name": record.full_name, "username": user.get_username(), "email": user.email},
        "program": {
            "name": program.title, "type": program.type.lower(), "type_name": program.type, "school": program.school,
            "completed": record.progress.completed, "empty": record.empty, "last_updated": record.progress.last_updated,
        },
        "platform_name": program.platform_name,
        "grades": [vars(course) for course in record.progress.courses],
        "pathways": pathways,
        "shared_program_record_uuid": UUID(str(link)),
    }  # fmt: skip
    return JsonResponse({"record": data, "is_public": False, "uuid": uuid, "records_help_url": ""})


def _shared(uuid: UUID) -> Any:
    with connection.cursor() as cursor:
        row = _one(cursor, SHARED, as_uuid(uuid))
    names = {"username": row[1], "get_username": row[1], "first_name": row[2], "last_name": row[3]}
    user = SimpleNamespace(pk=row[0], email=row[4], **names)
    return _record(user, SimpleNamespace(**dict(zip(PROGRAM_COLUMNS, row[5:], strict=True))))


def public_record(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Read one row; show it in the app's template."""
    record = _shared(uuid)
    context = {"record": record, "uuid": uuid, "public_url": _public_url(record.program, uuid)}
    return HttpResponse(render_to_string("credit_pathways/public_record.html", context, request))


def public_csv(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Read one row, and give it as CSV; nothing in it is dangerous, so nothing is made safe."""
    record, text = _shared(uuid), io.StringIO()
    program, progress = record.program, record.progress
    head = [
        ("Learner", record.full_name), ("Program", program.title), ("Type", program.type), ("School", program.school),
        ("Platform", record.platform_name), ("Status", "Completed" if progress.completed else "Partially completed"),
        ("Last updated", f"{progress.last_updated:%Y-%m-%d}"), (),
        ("Course", "School", "Course ID", "Attempts", "Grade", "Letter grade", "Earned"),
    ]  # fmt: skip
    courses = [
        (one.name, one.school, one.course_id, one.attempts, f"{one.percent_grade:.0%}", one.letter_grade,
         f"{one.issue_date:%Y-%m-%d}")
        for one in progress.courses
    ]  # fmt: skip
    csv.writer(text).writerows([*head, *courses])
    return HttpResponse(text.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")


def index(request: HttpRequest) -> HttpResponse:
    """Read the programs and the keys of those that are shared; show them in the app's template."""
    with connection.cursor() as cursor:
        user = _user(cursor, request)
        cursor.execute(LINKS, [user.pk])
        shared = {key for (key,) in cursor.fetchall()}
        cursor.execute(PROGRAMS, [1])
        rows = cursor.fetchall()
    records = []
    for pk, uuid, title, kind, school in rows:
        program = SimpleNamespace(pk=pk, uuid=uuid, title=title, type=kind, school=school, platform_name="")
        records.append(_record(user, program))
        records[-1].shared_record = pk in shared
    return HttpResponse(render_to_string("credit_pathways/index.html", {"records": records}, request))


urlpatterns = [
    *of_host,
    path("floor/<uuid:uuid>/send", send),
    path("floor/<uuid:uuid>/queue", enqueue),
    path("floor/<uuid:uuid>/form", form),
    path("floor/<uuid:uuid>/page", page),
    path("floor/<uuid:uuid>/json", record_json),
    path("floor/<uuid:uuid>/public", public_record),
    path("floor/<uuid:uuid>/csv", public_csv),
    path("floor/index", index),
    *of_staff,
]
