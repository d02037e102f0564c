"""
0001 is the schema before the ADR, 0002 adds the program; nothing fills it in. 0003 makes indexes.

0002 and 0003 run online (ADR 0011, ADR 0013).
"""

import itertools
import re
import uuid
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from credit_pathways.migrations import _online
from tests.support.interruptions import CHANGE, Delivery, another, before_statement, killed_before, requests
from tests.support.schema import AFTER, BEFORE, INDEXED, SESSION, TABLE, asked, columns, migrate_plainly, schema

NOBODY = 10**9

online = pytest.mark.skipif("not connection.features.has_select_for_update", reason="no row locks in this database")

#: Changes that do not lock others out while they look at every row.
QUICK = {
    "postgresql": re.compile("CONCURRENTLY|NOT VALID|VALIDATE|ADD COLUMN|DROP COLUMN|DROP CONSTRAINT"),
    "mysql": re.compile("LOCK=NONE"),
}

STEPS = [(BEFORE, AFTER), (AFTER, INDEXED)]
BOTH_WAYS = [*STEPS, (AFTER, BEFORE), (INDEXED, AFTER)]


class Nowhere:
    """A database router that lets nothing migrate."""

    def allow_migrate(self, *args, **kwargs):
        return False


@pytest.fixture
def migrate(transactional_db, monkeypatch):
    """Return a function that migrates to a state and gives its apps; go back to the newest at the end."""

    def to(name):
        MigrationExecutor(connection).migrate([("credit_pathways", name)])
        return MigrationExecutor(connection).loader.project_state([("credit_pathways", name)]).apps

    monkeypatch.setattr(_online, "PAUSE", 0.05)
    yield to
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes("credit_pathways"))


@pytest.fixture
def old(migrate):
    """The apps before 0002, with a program, and two requests along one pathway."""
    old = migrate(BEFORE)
    user = old.get_model("auth", "User").objects.create(username="halima")
    site = old.get_model("sites", "Site").objects.get()
    program = old.get_model("credit_pathways", "Program").objects.create(site=site, uuid=uuid.uuid4(), title="A")
    pathway = old.get_model("credit_pathways", "Pathway").objects.create(site=site, uuid=uuid.uuid4(), name="P")
    # One program only, so that a guess would be easy.
    pathway.programs.add(program)
    for status in ("sent", "pending"):
        requests(old).create(user=user, pathway=pathway, status=status)
    return old


def test_rows_survive_there_and_back_with_no_program(old, migrate):
    assert "program_id" not in columns()
    rows = list(requests(old).order_by("pk"))
    program = old.get_model("credit_pathways", "Program").objects.get()

    new = migrate(AFTER)
    found = list(requests(new).order_by("pk").values_list("pk", "status", "created", "modified", "program_id"))
    assert found == [(row.pk, row.status, row.created, row.modified, None) for row in rows]
    another(new, program_id=program.pk)

    old = migrate(BEFORE)
    assert "program_id" not in columns()
    assert list(requests(old).order_by("pk").values_list("status", flat=True)) == ["sent", "pending", "pending"]
    assert set(requests(migrate(AFTER)).values_list("program_id", flat=True)) == {None}


@pytest.mark.django_db
def test_the_models_need_no_other_migration(capsys):
    call_command("makemigrations", "credit_pathways", check=True, dry_run=True)
    assert "No changes detected" in capsys.readouterr().out


@pytest.mark.parametrize(("start", "target"), STEPS)
def test_the_schema_is_that_of_plain_operations(start, target, migrate):
    migrate(start)
    before = schema()
    migrate_plainly(start, target)
    plain = schema()
    assert before != plain
    for _time in range(2):
        migrate(start)
        assert schema() == before
        migrate(target)
        assert schema() == plain


@pytest.mark.parametrize("name", [AFTER, INDEXED])
def test_a_program_that_does_not_exist_is_refused(name, old, migrate):
    new = migrate(name)
    with pytest.raises(IntegrityError):
        another(new, program_id=NOBODY)


@pytest.mark.parametrize(("start", "target"), BOTH_WAYS)
def test_a_run_that_was_interrupted_is_run_again(start, target, old, migrate):
    """Before its first statement, before its second one, and so on."""
    # SQLite copies the table for each foreign key, which is many statements, and one transaction.
    pace = 4 if connection.vendor == "sqlite" and INDEXED in (start, target) else 1
    migrate(start)
    migrate(target)
    wanted = schema()
    for number in itertools.count(step=pace):
        migrate(start)
        with killed_before(number) as killed:
            migrate(target)
        migrate(target)
        assert schema() == wanted
        if not killed:
            break
    assert number >= 2
    assert requests(old).count() == 2


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only PostgreSQL leaves an index behind")
@pytest.mark.parametrize(
    ("start", "target", "number"),
    [
        # Third after ADD COLUMN and DROP INDEX is CREATE INDEX.
        (BEFORE, AFTER, 2),
        (AFTER, INDEXED, 1),
        # After two statements for each index: the foreign key's own one is dropped.
        (AFTER, INDEXED, 10),
        (INDEXED, AFTER, 1),
    ],
)
def test_an_index_that_was_left_incomplete_is_made_anew_or_dropped(start, target, number, old, migrate):
    migrate(target)
    wanted = schema()
    migrate(start)
    delivery = Delivery(old)

    def lose_patience():
        delivery.begin()
        asked("SELECT set_config('lock_timeout', '50ms', false)")

    with before_statement(number, lose_patience), pytest.raises(OperationalError):
        migrate(target)
    delivery.end()
    asked("SELECT set_config('lock_timeout', '0', false)")
    assert [valid for _definition, valid in schema()].count("false") == 1
    migrate(target)
    assert schema() == wanted
    assert delivery.failures == []


@online
def test_a_row_between_two_runs_that_points_at_nothing_is_found(old, migrate):
    with killed_before(1):
        migrate(AFTER)
    row = another(MigrationLoader(connection).project_state([("credit_pathways", AFTER)]).apps, program_id=NOBODY)
    for _time in range(2):
        with pytest.raises(IntegrityError):
            migrate(AFTER)
    row.delete()
    migrate(AFTER)


@online
@pytest.mark.parametrize(("start", "target"), BOTH_WAYS)
def test_requests_get_through_while_it_waits_for_a_delivery(start, target, old, migrate):
    """At each of its statements. The delivery ends when they are through, and not before."""
    for number in itertools.count():
        migrate(start)
        delivery = Delivery(old)
        with before_statement(number, delivery.begin) as begun:
            migrate(target)
        delivery.end()
        assert delivery.failures == []
        if not begun:
            break
        assert requests(old).filter(status="asked").count() == 3 * (number + 1)
    assert number >= 2


@pytest.mark.parametrize(
    ("start", "target"),
    [
        pytest.param(BEFORE, AFTER, marks=online),
        # PostgreSQL makes an index without the table for itself.
        pytest.param(AFTER, INDEXED, marks=pytest.mark.skipif("connection.vendor != 'mysql'", reason="no lock")),
    ],
)
def test_it_gives_up_and_says_what_to_do(start, target, old, migrate, monkeypatch):
    migrate(start)
    # Nothing in the session is from an earlier migration.
    connection.close()
    session, before = asked(SESSION[connection.vendor]), schema()
    monkeypatch.setattr(_online, "ATTEMPTS", 1)
    delivery = Delivery(old)
    delivery.lock()
    with pytest.raises(OperationalError, match=f"{TABLE}.*run migrate again"):
        migrate(target)
    delivery.ask()
    assert (asked(SESSION[connection.vendor]), schema()) == (session, before)
    delivery.end()
    assert delivery.failures == []
    migrate(target)
    assert asked(SESSION[connection.vendor]) == session
    assert schema() != before


@online
def test_another_error_is_not_tried_again(migrate):
    def lose_connection():
        raise OperationalError(2006, "Server has gone away")

    migrate(BEFORE)
    with before_statement(0, lose_connection), pytest.raises(OperationalError, match="gone away"):
        migrate(AFTER)


@online
@pytest.mark.parametrize(("start", "target"), BOTH_WAYS)
def test_the_printed_sql_does_the_same(start, target, migrate):
    migrate(target)
    wanted = schema()
    migrate(start)
    printed, backwards = StringIO(), start > target
    name = max(start, target)
    call_command("sqlmigrate", "credit_pathways", name, stdout=printed, no_color=True, backwards=backwards)
    statements = [line for line in printed.getvalue().splitlines() if not line.startswith("--")]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    MigrationExecutor(connection).migrate([("credit_pathways", target)], fake=True)
    assert schema() == wanted
    assert [sql for sql in statements if CHANGE.search(sql) and not QUICK[connection.vendor].search(sql)] == []
    # Outside a transaction it would do nothing.
    assert printed.getvalue().count("SET LOCAL") == printed.getvalue().count("BEGIN;\nSET LOCAL")


def test_a_database_that_the_app_is_not_in_is_left_alone(migrate, settings):
    migrate(BEFORE)
    before = schema()
    settings.DATABASE_ROUTERS = [Nowhere()]
    migrate(INDEXED)
    assert schema() == before
    migrate(BEFORE)
    assert schema() == before
    settings.DATABASE_ROUTERS = []
