"""``import_credentials_requests``: copy the links and requests of Credentials' own records app."""

import io
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from credentials.apps.records import models as records
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.management import CommandError, call_command

from credit_pathways import api
from credit_pathways.contrib.credentials import imports
from credit_pathways.delivery import later
from credit_pathways.models import ImportedRow, ProgramCertRecord, UserCreditPathway

from . import factories
from .conftest import count_queries, local_copy, run_import, sync

# Delivery raises an error inside a transaction.
pytestmark = pytest.mark.django_db(transaction=True)

CREATED = datetime(2024, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
MODIFIED = datetime(2025, 6, 7, 8, 9, 10, 11, tzinfo=UTC)
LINK = UUID("28e6a249-b963-4dc1-83d4-6999309074d6")


def dated(row, **values):
    """Set the times of a row of Credentials, which are set automatically when it is created."""
    type(row).objects.filter(pk=row.pk).update(**{"created": CREATED, "modified": MODIFIED, **values})
    return row


@pytest.fixture
def program(learner):
    """A program in which the learner has earned a course."""
    factories.configure()
    run = factories.CourseRunFactory()
    factories.earn(run, "halima")
    return factories.ProgramFactory(course_runs=[run])


@pytest.fixture
def pathway(program):
    """A pathway for the program. Both are in both catalogs."""
    pathway = factories.PathwayFactory(programs=[program])
    sync()
    return pathway


@pytest.fixture
def link(learner, program, pathway):
    """A link that Credentials has sent to an institution."""
    return dated(records.ProgramCertRecord.objects.create(user=learner, program=program, uuid=LINK))


@pytest.fixture
def request_(learner, program, pathway):
    """A credit request in Credentials."""
    row = records.UserCreditPathway.objects.create(user=learner, program=program, pathway=pathway, status="sent")
    return dated(row)


def test_a_request_keeps_its_values(request_, learner, program, pathway):
    assert run_import() == "0 public links and 1 credit request copied, 0 updated.\n"
    row = UserCreditPathway.objects.get()
    assert (row.user, row.program, row.pathway) == (learner, local_copy(program), local_copy(pathway))
    assert (row.status, row.created, row.modified) == ("sent", CREATED, MODIFIED)


def test_an_unknown_status_becomes_pending(request_):
    dated(request_, status="whatever")
    run_import()
    assert UserCreditPathway.objects.get().status == "pending"


@pytest.mark.parametrize("status", ["sent", ""])
def test_what_credentials_does_not_know_stays_empty(status, request_):
    dated(request_, status=status)
    run_import()
    dated(request_, modified=MODIFIED + timedelta(days=1))
    assert run_import() == "0 public links and 0 credit requests copied, 1 updated.\n"
    row = UserCreditPathway.objects.get()
    assert (row.completed, row.sent_to, row.attempts) == (None, "", 0)
    assert (row.failure_reason, row.bounced_at, row.bounce_reason) == ("", None, "")


def test_a_link_and_a_request_with_the_same_id(link, request_):
    dated(link, id=7)
    dated(request_, id=7)
    assert run_import() == "1 public link and 1 credit request copied, 0 updated.\n"


def test_a_link_that_already_exists_is_not_a_problem(link, learner, program):
    ProgramCertRecord.objects.create(user=learner, program=local_copy(program), uuid=LINK)
    assert run_import() == "0 public links and 0 credit requests copied, 0 updated.\n"


def test_a_null_program_stays_null(request_):
    dated(request_, program=None)
    run_import()
    assert UserCreditPathway.objects.get().program is None


def test_a_link_keeps_its_uuid_and_opens_the_record(link, client, learner, program):
    assert run_import() == "1 public link and 0 credit requests copied, 0 updated.\n"
    row = ProgramCertRecord.objects.get()
    assert (row.uuid, row.user, row.program) == (LINK, learner, local_copy(program))
    assert (row.created, row.modified) == (CREATED, MODIFIED)
    assert api.public_record(uuid=LINK, site=program.site).user == learner


class TestBlankStatus:
    """A blank status does not say whether the email was sent: the copy is pending, and never delivered."""

    @pytest.fixture
    def row(self, request_, link):
        dated(request_, status="")
        run_import()
        return UserCreditPathway.objects.get()

    def test_it_is_pending(self, row):
        assert (row.status, row.modified) == ("pending", MODIFIED)

    def test_deliver_pending_does_not_send_it(self, row):
        call_command("deliver_pending", older_than=1)
        assert not UserCreditPathway.objects.deliverable().exists()
        self.assert_not_sent(row)

    def test_the_api_does_not_send_it(self, row):
        assert api.deliver(row) == "pending"
        assert later.attempt_delivery(request_id=row.pk, queued_after=0) is None
        self.assert_not_sent(row)

    def test_the_admin_does_not_send_it(self, row, client, learner):
        get_user_model().objects.filter(pk=learner.pk).update(is_staff=True, is_superuser=True)
        url = "/admin/credit_pathways/usercreditpathway/deliver-again/"
        page = client.get(url, {"id": row.pk}).content.decode()
        assert "imported" in page
        client.post(url, {"id": [row.pk]})
        self.assert_not_sent(row)

    def test_its_learner_sees_that_its_status_is_unknown(self, row, client):
        page = client.get("/records/credit-requests/").content.decode()
        assert "Not known" in page
        assert "Waiting to be sent" not in page

    def assert_not_sent(self, row):
        row.refresh_from_db()
        assert (row.status, row.modified, mail.outbox) == ("pending", MODIFIED, [])


def test_a_second_run_duplicates_nothing(link, request_):
    run_import()
    assert run_import() == "0 public links and 0 credit requests copied, 0 updated.\n"
    assert (ProgramCertRecord.objects.count(), UserCreditPathway.objects.count()) == (1, 1)


def test_a_second_run_updates_requests_that_credentials_changed(request_, program):
    dated(request_, program=None, status="")
    run_import()
    later = MODIFIED + timedelta(days=1)
    dated(request_, program=program, status="sent", modified=later)
    assert run_import() == "0 public links and 0 credit requests copied, 1 updated.\n"
    row = UserCreditPathway.objects.get()
    assert (row.program, row.status, row.modified, row.created) == (local_copy(program), "sent", later, CREATED)


def test_a_second_run_does_not_restore_a_withdrawn_link(link, learner, program):
    run_import()
    api.revoke_record(user=learner, program=local_copy(program))
    run_import()
    assert not ProgramCertRecord.objects.exists()


def test_a_second_run_does_not_restore_a_deleted_request(request_):
    run_import()
    UserCreditPathway.objects.all().delete()
    run_import()
    assert not UserCreditPathway.objects.exists()


def test_a_link_of_the_app_is_not_replaced(link, learner, program):
    shared = api.share_record(user=learner, program=local_copy(program))
    with pytest.raises(CommandError, match=r"1 row skipped\."):
        run_import()
    assert [row.uuid for row in ProgramCertRecord.objects.all()] == [shared.uuid]
    api.revoke_record(user=learner, program=local_copy(program))
    run_import()
    assert not ProgramCertRecord.objects.exists()


def test_equal_requests_are_all_copied(request_, learner, pathway):
    """A unique constraint allows equal rows whose program is null."""
    dated(request_, program=None)
    dated(records.UserCreditPathway.objects.bulk_create([records.UserCreditPathway(user=learner, pathway=pathway)])[0])
    records.UserCreditPathway.objects.update(created=CREATED, modified=MODIFIED)
    run_import()
    run_import()
    assert UserCreditPathway.objects.filter(program=None, created=CREATED).count() == 2


def test_a_dry_run_changes_nothing(link, request_):
    assert run_import(dry_run=True) == "1 public link and 1 credit request copied, 0 updated, not kept (dry run).\n"
    assert not ProgramCertRecord.objects.exists()
    assert not UserCreditPathway.objects.exists()
    assert not ImportedRow.objects.exists()


def test_rows_without_a_program_or_pathway_in_the_catalog_are_reported(link, request_, learner):
    program = factories.ProgramFactory()
    pathway = factories.PathwayFactory()
    first = records.ProgramCertRecord.objects.create(user=learner, program=program)
    second = records.UserCreditPathway.objects.create(user=learner, pathway=pathway)
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"2 rows skipped\."):
        call_command("import_credentials_requests", stdout=out, stderr=out)
    assert out.getvalue() == (
        f"records_programcertrecord {first.pk}: program {program.pk} is not in the catalog\n"
        f"records_usercreditpathway {second.pk}: pathway {pathway.pk} is not in the catalog\n"
        "1 public link and 1 credit request copied, 0 updated.\n"
    )
    sync()
    assert run_import() == "1 public link and 1 credit request copied, 0 updated.\n"


def test_programs_are_matched_by_site(link, learner, program):
    site = factories.SiteFactory()
    other = factories.ProgramFactory(site=site, uuid=program.uuid)
    dated(records.ProgramCertRecord.objects.create(user=learner, program=other))
    call_command("sync_catalog", from_credentials=True, site=site.domain, stdout=io.StringIO())
    run_import()
    assert {row.program for row in ProgramCertRecord.objects.all()} == {local_copy(program), local_copy(other)}


def test_the_number_of_queries_of_a_second_run_is_constant(request_, learner, pathway):
    run_import()
    one = count_queries(run_import)
    records.UserCreditPathway.objects.bulk_create(
        records.UserCreditPathway(user=learner, pathway=pathway, program=None) for _number in range(4)
    )
    run_import()
    assert count_queries(run_import) == one


def test_several_batches(request_, learner, pathway, program, monkeypatch):
    monkeypatch.setattr(imports, "BATCH_SIZE", 2)
    rows = records.UserCreditPathway.objects.bulk_create(
        records.UserCreditPathway(user=learner, pathway=pathway, program=None) for _number in range(4)
    )
    assert run_import() == f"0 public links and {len(rows) + 1} credit requests copied, 0 updated.\n"
    assert run_import() == "0 public links and 0 credit requests copied, 0 updated.\n"
