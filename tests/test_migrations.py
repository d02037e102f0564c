"""0001 is the schema before the ADR, 0002 adds the program; nothing fills it in."""

import uuid

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

BEFORE, AFTER = "0001_initial", "0002_usercreditpathway_program"


@pytest.fixture
def migrate(transactional_db):
    """Return a function that migrates to a state and gives its apps; go back to the newest at the end."""

    def to(name):
        MigrationExecutor(connection).migrate([("credit_pathways", name)])
        return MigrationExecutor(connection).loader.project_state([("credit_pathways", name)]).apps

    yield to
    to(AFTER)


def columns(model):
    with connection.cursor() as cursor:
        table = model._meta.db_table
        return {column.name for column in connection.introspection.get_table_description(cursor, table)}


def test_rows_survive_there_and_back_with_no_program(migrate, django_user_model):
    user = django_user_model.objects.create(username="halima")
    old = migrate(BEFORE)
    model = old.get_model("credit_pathways", "UserCreditPathway")
    assert "program_id" not in columns(model)
    site = old.get_model("sites", "Site").objects.get()
    program = old.get_model("credit_pathways", "Program").objects.create(site=site, uuid=uuid.uuid4(), title="A")
    pathway = old.get_model("credit_pathways", "Pathway").objects.create(site=site, uuid=uuid.uuid4(), name="P")
    # One program only, so that a guess would be easy.
    pathway.programs.add(program)
    rows = [model.objects.create(user_id=user.pk, pathway=pathway, status=status) for status in ("sent", "pending")]

    model = migrate(AFTER).get_model("credit_pathways", "UserCreditPathway")
    found = list(model.objects.order_by("pk").values_list("pk", "status", "created", "modified", "program_id"))
    assert found == [(row.pk, row.status, row.created, row.modified, None) for row in rows]
    model.objects.create(user_id=user.pk, pathway_id=pathway.pk, program_id=program.pk)

    model = migrate(BEFORE).get_model("credit_pathways", "UserCreditPathway")
    assert "program_id" not in columns(model)
    assert list(model.objects.order_by("pk").values_list("status", flat=True)) == ["sent", "pending", "pending"]
    model = migrate(AFTER).get_model("credit_pathways", "UserCreditPathway")
    assert set(model.objects.values_list("program_id", flat=True)) == {None}


@pytest.mark.django_db
def test_the_models_need_no_other_migration(capsys):
    call_command("makemigrations", "credit_pathways", check=True, dry_run=True)
    assert "No changes detected" in capsys.readouterr().out
