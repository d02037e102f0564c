"""The statement in docs/how-to/monitor.rst finds trouble, and nothing else."""

import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from django.utils import timezone

from credit_pathways.models import ImportedRow, UserCreditPathway
from tests.support.printed_sql import VENDORS, execute, for_this_database, statements

pytestmark = pytest.mark.django_db

PAGE = (Path(__file__).parents[1] / "docs/how-to/monitor.rst").read_text(encoding="utf-8")

PENDING, FAILED, BOUNCED = "pending for too long", "failed in the last hour", "bounced in the last hour"

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)

#: The age of requests that each check counts, and their values.
TROUBLES = [
    (PENDING, 3 * HOUR, {"status": "pending"}),
    (FAILED, 30 * MINUTE, {"status": "failed"}),
    (BOUNCED, 30 * MINUTE, {"status": "sent", "bounced": MINUTE}),
]


@pytest.fixture
def add(learner, program, pathway):
    """Return a function that adds requests. ``modified`` and ``bounced`` are ages, too."""

    def add(number, age, *, status="sent", modified=MINUTE, bounced=None, **values):
        now = timezone.now()
        values = {"user": learner, "program": program, "pathway": pathway, "status": status, **values}
        values |= {"created": now - age, "modified": now - modified, "bounced_at": bounced and now - bounced}
        UserCreditPathway.objects.bulk_create(UserCreditPathway(**values) for _ in range(number))

    return add


def found(statement=None):
    """Return what the statement returns: the numbers found and allowed, by the name of the check."""
    lines = execute(statement or for_this_database(statements(PAGE)))
    return {name: (int(number), int(allowed)) for name, number, allowed in lines}


def test_one_statement_for_each_database():
    assert list(statements(PAGE)) == list(VENDORS)


def test_nothing_to_report(add):
    assert found() == {}
    add(100, 30 * MINUTE)
    add(100, HOUR, status="pending")
    assert found() == {}


@pytest.mark.parametrize(("age", "fires"), [(119 * MINUTE, False), (121 * MINUTE, True), (1000 * DAY, True)])
def test_pending_for_too_long(age, fires, add):
    add(1, age, status="pending", modified=age)
    assert found() == ({PENDING: (1, 0)} if fires else {})


@pytest.mark.parametrize(("age", "fires"), [(9 * MINUTE, False), (11 * MINUTE, True)])
def test_pending_for_too_long_where_emails_are_sent_inline(age, fires, add):
    statement = re.sub("2 hours?", "10 MINUTE", for_this_database(statements(PAGE)), flags=re.IGNORECASE)
    add(1, age, status="pending", modified=age)
    assert found(statement) == ({PENDING: (1, 0)} if fires else {})


@pytest.mark.parametrize(("requests", "allowed"), [(1, 2), (19, 2), (29, 2), (30, 3), (100, 10), (109, 10)])
def test_failed_in_the_last_hour(requests, allowed, add):
    """The requests of the hour include one that failed; the others that failed were made before."""
    add(requests - 1, 59 * MINUTE)
    add(1, 59 * MINUTE, status="failed", modified=59 * MINUTE)
    add(allowed - 1, 61 * MINUTE, status="failed")
    assert found() == {}
    add(1, 61 * MINUTE, status="failed")
    assert found() == {FAILED: (allowed + 1, allowed)}


@pytest.mark.parametrize(("requests", "allowed"), [(1, 2), (39, 2), (59, 2), (60, 3), (100, 5), (119, 5)])
def test_bounced_in_the_last_hour(requests, allowed, add):
    add(requests - 1, 59 * MINUTE)
    add(1, 59 * MINUTE, bounced=59 * MINUTE)
    add(allowed - 1, 61 * MINUTE, bounced=MINUTE)
    assert found() == {}
    add(1, 61 * MINUTE, bounced=MINUTE)
    assert found() == {BOUNCED: (allowed + 1, allowed)}


@pytest.mark.parametrize(
    ("age", "ago", "fires"),
    [(DAY, 61 * MINUTE, False), (7 * DAY - HOUR, MINUTE, True), (7 * DAY + HOUR, MINUTE, False)],
)
def test_only_outcomes_of_the_last_hour_and_requests_of_the_last_week_count(age, ago, fires, add):
    add(50, age, status="failed", modified=ago)
    add(50, age, bounced=ago, modified=age)
    assert found() == ({FAILED: (50, 2), BOUNCED: (50, 2)} if fires else {})


@pytest.mark.parametrize(("name", "age", "values"), TROUBLES, ids=[trouble[0] for trouble in TROUBLES])
def test_requests_without_a_program_and_imported_requests_do_not_count(name, age, values, add):
    """Neither as trouble, nor among the requests of the hour."""
    add(50, 30 * MINUTE)
    add(50, age, **values)
    ids = UserCreditPathway.objects.values_list("pk", flat=True)
    ImportedRow.objects.bulk_create(ImportedRow(table="t", row_id=pk, credit_request_id=pk) for pk in ids)
    add(50, 30 * MINUTE, program=None)
    add(50, age, program=None, **values)
    assert found() == {}
    add(3, age, **values)
    assert found() == {name: (3, 0 if name == PENDING else 2)}


def test_all_numbers_without_the_last_condition(add):
    add(1, 3 * HOUR, status="pending")
    add(40, MINUTE)
    statement, condition, _end = for_this_database(statements(PAGE)).rpartition(" WHERE found > allowed")
    assert condition
    assert found(statement) == {PENDING: (1, 0), FAILED: (0, 4), BOUNCED: (0, 2)}


def test_the_loggers_exist():
    """Those of the tables, without the package's name."""
    names = {f"credit_pathways.{name}" for name in re.findall(r"``((?:delivery|admin)\.\w+|tasks)``", PAGE)}
    assert len(names) >= 6
    assert {import_module(name).log.name for name in names} == names
