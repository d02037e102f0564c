"""0001 is the schema before ADR 0001. 0002 adds the program, 0003 what a request tells. Neither fills in old rows."""

import uuid

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor

BEFORE, AFTER, LAST = "0001_initial", "0002_usercreditpathway_program", "0003_what_a_request_tells"

#: The values that 0003 gives to earlier rows, by model.
NOT_KNOWN = {
    "UserCreditPathway": {
        "completed": None,
        "sent_to": "",
        "attempts": 0,
        "learner_email_attempts": 0,
        "failure_reason": "",
        "bounced_at": None,
        "bounce_reason": "",
    },
    "Pathway": {"description": "", "destination_url": "", "is_synced": False},
    "Program": {"is_synced": False},
}
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


def columns(model="usercreditpathway"):
    with connection.cursor() as cursor:
        table = connection.introspection.get_table_description(cursor, f"credit_pathways_{model.lower()}")
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


def test_earlier_rows_survive_and_what_they_tell_is_not_known(old, migrate):
    middle = migrate(AFTER)
    rows = {name: list(middle.get_model("credit_pathways", name).objects.order_by("pk").values()) for name in NOT_KNOWN}
    new = migrate(LAST)
    for name, added in NOT_KNOWN.items():
        model = new.get_model("credit_pathways", name)
        assert list(model.objects.order_by("pk").values()) == [{**row, **added} for row in rows[name]]
        assert added.keys() <= columns(name)
    new_request(new, completed=True, sent_to="a@b.example", attempts=2, failure_reason="x", bounce_reason="y")

    middle = migrate(AFTER)
    for name, added in NOT_KNOWN.items():
        assert not added.keys() & columns(name)
    assert list(requests(middle).order_by("pk").values())[:2] == rows["UserCreditPathway"]
    assert set(requests(migrate(LAST)).values_list("completed", "attempts")) == {(None, 0)}


@pytest.mark.django_db
def test_the_models_need_no_other_migration(capsys):
    call_command("makemigrations", "credit_pathways", check=True, dry_run=True)
    assert "No changes detected" in capsys.readouterr().out
