"""``import_credentials_requests`` next to learners and another import, and without its database."""

import io

import pytest
from credentials.apps.records import models as records
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection

from credit_pathways import api
from credit_pathways.contrib.credentials import imports
from credit_pathways.models import ImportedRow, ProgramCertRecord, UserCreditPathway
from tests.support.database import interrupted
from tests.support.sessions import killer
from tests.support.threads import run_concurrently

from . import factories
from .conftest import local_copy, run_import, sync

pytestmark = pytest.mark.django_db(transaction=True)

LEARNERS = 12


@pytest.fixture
def learners(db, monkeypatch):
    """Learners, each with a link and a request in Credentials, which are four batches of each."""
    monkeypatch.setattr(imports, "BATCH_SIZE", LEARNERS // 4)
    learners = [get_user_model().objects.create(username=f"learner{number}") for number in range(LEARNERS)]
    program = factories.ProgramFactory()
    pathway = factories.PathwayFactory(programs=[program])
    sync()
    for learner in learners:
        records.ProgramCertRecord.objects.create(user=learner, program=program)
        records.UserCreditPathway.objects.create(user=learner, program=program, pathway=pathway)
    return learners


def import_rows():
    """Return the sum of the results of an import."""
    return sum(imports.import_rows(), imports.ImportResult())


def rows():
    """Return the learners of all links and requests, and the number of rows that were dealt with."""
    links, requests = (
        sorted(model.objects.values_list("user", flat=True)) for model in (ProgramCertRecord, UserCreditPathway)
    )
    return links, requests, ImportedRow.objects.count()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="of two that have read, only one can begin to write")
def test_two_imports_at_once(learners):
    results = run_concurrently(2, import_rows)
    everybody = [learner.pk for learner in learners]
    assert rows() == (everybody, everybody, 2 * LEARNERS)
    assert sum(results, imports.ImportResult()) == imports.ImportResult(LEARNERS, LEARNERS)


@pytest.mark.parametrize("model", [ProgramCertRecord, UserCreditPathway, ImportedRow])
def test_another_import_between_reading_and_writing(model, learners):
    others = []
    with interrupted("INSERT INTO", model, before=lambda: others.append(import_rows())):
        result = import_rows()
    everybody = [learner.pk for learner in learners]
    assert rows() == (everybody, everybody, 2 * LEARNERS)
    assert sum(others, result) == imports.ImportResult(LEARNERS, LEARNERS)


def test_a_learner_shares_between_reading_and_writing(learners):
    program = local_copy(records.ProgramCertRecord.objects.first().program)
    shared = []
    with interrupted(
        "INSERT INTO",
        ProgramCertRecord,
        before=lambda: shared.append(api.share_record(user=learners[0], program=program)),
    ):
        result = import_rows()
    assert (result.links, len(result.problems)) == (LEARNERS - len(shared), len(shared))
    assert rows()[0] == [learner.pk for learner in learners]


@pytest.mark.parametrize("model", [ProgramCertRecord, UserCreditPathway])
def test_a_learner_is_deleted_between_reading_and_writing(model, learners):
    deleted = []
    with interrupted("INSERT INTO", model, before=lambda: deleted.append(learners[0].delete())):
        import_rows()
    left = [learner.pk for learner in learners[len(deleted) :]]
    assert rows()[:2] == (left, left)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="there is no server")
def test_the_server_ends_the_session(learners):
    api.share_record(user=learners[0], program=local_copy(records.ProgramCertRecord.objects.first().program))
    out = io.StringIO()
    with (
        interrupted("INSERT INTO", UserCreditPathway, before=killer()),
        pytest.raises(CommandError, match=r"Run the command again to copy the rest\."),
    ):
        call_command("import_credentials_requests", stdout=out, stderr=out)
    problem, summary = out.getvalue().splitlines()
    assert problem.endswith("the record is already shared by another link")
    assert summary == f"{LEARNERS - 1} public links and 0 credit requests copied, 0 updated."
    assert run_import() == f"0 public links and {LEARNERS} credit requests copied, 0 updated.\n"
