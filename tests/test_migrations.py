"""0001 is the schema before ADR 0001, 0002 adds the program. Nothing fills in the program of earlier rows."""

import uuid

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor

BEFORE, AFTER = "0001_initial", "0002_usercreditpathway_program"
NO_PROGRAM = 10**9


@pytest.fixture
def migrate(transactional_db):
    """Return a function that migrates to a state and returns its apps; return to the newest state at the end."""

    def to(name):
        MigrationExecutor(connection).migrate([("credit_pathways", name)])
        return MigrationExecutor(connection).loader.project_state([("credit_pathways", name)]).apps

    yield to
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes("credit_pathways"))


@pytest.fixture
def old(migrate):
    """The apps before 0002, with a program and two requests through one pathway."""
    old = migrate(BEFORE)
    user = old.get_model("auth", "User").objects.create(username="halima")
    site = old.get_model("sites", "Site").objects.get()
    program = old.get_model("credit_pathways", "Program").objects.create(site=site, uuid=uuid.uuid4(), title="A")
    pathway = old.get_model("credit_pathways", "Pathway").objects.create(site=site, uuid=uuid.uuid4(), name="P")
    # The only program, so that a guess would be easy.
    pathway.programs.add(program)
    for status in ("sent", "pending"):
        requests(old).create(user=user, pathway=pathway, status=status)
    return old


def requests(apps):
    return apps.get_model("credit_pathways", "UserCreditPathway").objects


def new_request(apps, **values):
    """Write another request of the same learner through the same pathway."""
    first = requests(apps).order_by("pk").first()
    return requests(apps).create(user_id=first.user_id, pathway_id=first.pathway_id, **values)


def columns():
    with connection.cursor() as cursor:
        table = connection.introspection.get_table_description(cursor, "credit_pathways_usercreditpathway")
    return {column.name for column in table}


def test_rows_survive_forwards_and_backwards_with_no_program(old, migrate):
    assert "program_id" not in columns()
    rows = list(requests(old).order_by("pk"))
    program = old.get_model("credit_pathways", "Program").objects.get()

    new = migrate(AFTER)
    found = list(requests(new).order_by("pk").values_list("pk", "status", "created", "modified", "program_id"))
    assert found == [(row.pk, row.status, row.created, row.modified, None) for row in rows]
    new_request(new, program_id=program.pk)

    old = migrate(BEFORE)
    assert "program_id" not in columns()
    assert list(requests(old).order_by("pk").values_list("status", flat=True)) == ["sent", "pending", "pending"]
    assert set(requests(migrate(AFTER)).values_list("program_id", flat=True)) == {None}


def test_a_program_that_does_not_exist_is_refused(old, migrate):
    new = migrate(AFTER)
    with pytest.raises(IntegrityError):
        new_request(new, program_id=NO_PROGRAM)


@pytest.mark.django_db
def test_the_models_need_no_other_migration(capsys):
    call_command("makemigrations", "credit_pathways", check=True, dry_run=True)
    assert "No changes detected" in capsys.readouterr().out
