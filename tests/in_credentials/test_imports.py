"""``import_credentials_requests``: what Credentials' own records app has."""

import io
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from credentials.apps.records import models as host
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from credit_pathways import api
from credit_pathways.contrib.credentials import imports
from credit_pathways.delivery import later
from credit_pathways.models import ImportedRow, ProgramCertRecord, UserCreditPathway

from . import factories
from .conftest import ours, statements, sync

# Delivery refuses to run in a transaction.
pytestmark = pytest.mark.django_db(transaction=True)

CREATED = datetime(2024, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
MODIFIED = datetime(2025, 6, 7, 8, 9, 10, 11, tzinfo=UTC)
LINK = UUID("28e6a249-b963-4dc1-83d4-6999309074d6")


def copy(**options):
    """Run the command; return what it said."""
    out = io.StringIO()
    call_command("import_credentials_requests", stdout=out, stderr=out, **options)
    return out.getvalue()


def dated(row, **values):
    """Give a row of Credentials its times, which are set by themselves when it is made."""
    type(row).objects.filter(pk=row.pk).update(**{"created": CREATED, "modified": MODIFIED, **values})
    return row


@pytest.fixture
def program(learner):
    """A program of both catalogs, in which the learner has earned a course."""
    factories.configure()
    run = factories.CourseRunFactory()
    factories.earn(run, "halima")
    return factories.ProgramFactory(course_runs=[run])


@pytest.fixture
def pathway(program):
    """A pathway of both catalogs."""
    pathway = factories.PathwayFactory(programs=[program])
    sync()
    return pathway


@pytest.fixture
def link(learner, program, pathway):
    """A link that stands in an institution's inbox."""
    return dated(host.ProgramCertRecord.objects.create(user=learner, program=program, uuid=LINK))


@pytest.fixture
def request_(learner, program, pathway):
    """A credit request."""
    row = host.UserCreditPathway.objects.create(user=learner, program=program, pathway=pathway, status="sent")
    return dated(row)


def test_a_request_keeps_what_it_says(request_, learner, program, pathway):
    assert copy() == "0 public links and 1 credit requests copied, 0 updated.\n"
    row = UserCreditPathway.objects.get()
    assert (row.user, row.program, row.pathway) == (learner, ours(program), ours(pathway))
    assert (row.status, row.created, row.modified) == ("sent", CREATED, MODIFIED)


def test_a_status_that_is_neither_is_not_taken_for_sent(request_):
    dated(request_, status="whatever")
    copy()
    assert UserCreditPathway.objects.get().status == "pending"


def test_a_link_and_a_request_of_the_same_number(link, request_):
    dated(link, id=7)
    dated(request_, id=7)
    assert copy() == "1 public links and 1 credit requests copied, 0 updated.\n"


def test_the_same_link_that_is_there_is_no_problem(link, learner, program):
    ProgramCertRecord.objects.create(user=learner, program=ours(program), uuid=LINK)
    assert copy() == "0 public links and 0 credit requests copied, 0 updated.\n"


def test_a_null_program_stays_null(request_):
    dated(request_, program=None)
    copy()
    assert UserCreditPathway.objects.get().program is None


def test_a_link_keeps_its_uuid_and_opens_the_record(link, client, learner, program):
    assert copy() == "1 public links and 0 credit requests copied, 0 updated.\n"
    row = ProgramCertRecord.objects.get()
    assert (row.uuid, row.user, row.program) == (LINK, learner, ours(program))
    assert (row.created, row.modified) == (CREATED, MODIFIED)
    assert api.public_record(uuid=LINK, site=program.site).user == learner


class TestBlank:
    """Credentials' blank status says nothing of the mail: the copy is pending, and never delivered."""

    @pytest.fixture
    def row(self, request_, link):
        dated(request_, status="")
        copy()
        return UserCreditPathway.objects.get()

    def test_it_is_pending(self, row):
        assert (row.status, row.modified) == ("pending", MODIFIED)

    def test_not_by_deliver_pending(self, row):
        call_command("deliver_pending", older_than=1)
        assert not UserCreditPathway.objects.deliverable().exists()
        self.nothing_was_sent(row)

    def test_not_by_the_api(self, row):
        assert api.deliver(row) == "pending"
        assert later.attempt_delivery(request_id=row.pk, is_last=True) is None
        self.nothing_was_sent(row)

    def test_not_by_deliver_again(self, row, client, learner):
        get_user_model().objects.filter(pk=learner.pk).update(is_staff=True, is_superuser=True)
        url = "/admin/credit_pathways/usercreditpathway/deliver-again/"
        page = client.get(url, {"id": row.pk}).content.decode()
        assert "imported" in page
        client.post(url, {"id": [row.pk]})
        self.nothing_was_sent(row)

    def test_its_learner_is_told_the_truth(self, row, client):
        page = client.get("/records/credit-requests/").content.decode()
        assert "Not known" in page
        assert "Waiting to be sent" not in page

    def nothing_was_sent(self, row):
        row.refresh_from_db()
        assert (row.status, row.modified, mail.outbox) == ("pending", MODIFIED, [])


def test_again_nothing_is_doubled(link, request_):
    copy()
    assert copy() == "0 public links and 0 credit requests copied, 0 updated.\n"
    assert (ProgramCertRecord.objects.count(), UserCreditPathway.objects.count()) == (1, 1)


def test_again_what_credentials_changed_is_changed(request_, program):
    dated(request_, program=None, status="")
    copy()
    later = MODIFIED + timedelta(days=1)
    dated(request_, program=program, status="sent", modified=later)
    assert copy() == "0 public links and 0 credit requests copied, 1 updated.\n"
    row = UserCreditPathway.objects.get()
    assert (row.program, row.status, row.modified, row.created) == (ours(program), "sent", later, CREATED)


def test_again_a_withdrawn_link_stays_dead(link, learner, program):
    copy()
    api.revoke_record(user=learner, program=ours(program))
    copy()
    assert not ProgramCertRecord.objects.exists()


def test_again_a_deleted_request_stays_deleted(request_):
    copy()
    UserCreditPathway.objects.all().delete()
    copy()
    assert not UserCreditPathway.objects.exists()


def test_a_link_of_this_app_is_not_replaced(link, learner, program):
    shared = api.share_record(user=learner, program=ours(program))
    with pytest.raises(CommandError, match="1 rows were left out"):
        copy()
    assert [row.uuid for row in ProgramCertRecord.objects.all()] == [shared.uuid]
    api.revoke_record(user=learner, program=ours(program))
    copy()
    assert not ProgramCertRecord.objects.exists()


def test_equal_requests_are_all_copied(request_, learner, pathway):
    """The database lets two rows without a program be equal."""
    dated(request_, program=None)
    dated(host.UserCreditPathway.objects.bulk_create([host.UserCreditPathway(user=learner, pathway=pathway)])[0])
    host.UserCreditPathway.objects.update(created=CREATED, modified=MODIFIED)
    copy()
    copy()
    assert UserCreditPathway.objects.filter(program=None, created=CREATED).count() == 2


def test_a_dry_run_changes_nothing(link, request_):
    assert copy(dry_run=True) == "1 public links and 1 credit requests copied, 0 updated, not kept (dry run).\n"
    assert not ProgramCertRecord.objects.exists()
    assert not UserCreditPathway.objects.exists()
    assert not ImportedRow.objects.exists()


def test_what_the_catalog_lacks_is_named_and_all_else_done(link, request_, learner):
    program = factories.ProgramFactory()
    pathway = factories.PathwayFactory()
    first = host.ProgramCertRecord.objects.create(user=learner, program=program)
    second = host.UserCreditPathway.objects.create(user=learner, pathway=pathway)
    out = io.StringIO()
    with pytest.raises(CommandError, match="2 rows were left out"):
        call_command("import_credentials_requests", stdout=out, stderr=out)
    assert out.getvalue() == (
        f"records_programcertrecord {first.pk}: program {program.pk} is not in the catalog\n"
        f"records_usercreditpathway {second.pk}: pathway {pathway.pk} is not in the catalog\n"
        "1 public links and 1 credit requests copied, 0 updated.\n"
    )
    sync()
    assert copy() == "1 public links and 1 credit requests copied, 0 updated.\n"


def test_each_sites_programs_are_its_own(link, learner, program):
    site = factories.SiteFactory()
    other = factories.ProgramFactory(site=site, uuid=program.uuid)
    dated(host.ProgramCertRecord.objects.create(user=learner, program=other))
    call_command("sync_catalog", from_credentials=True, site=site.domain, stdout=io.StringIO())
    copy()
    assert {row.program for row in ProgramCertRecord.objects.all()} == {ours(program), ours(other)}


def test_the_second_time_reads_rows_together(request_, learner, pathway):
    copy()
    one = statements(copy)
    host.UserCreditPathway.objects.bulk_create(
        host.UserCreditPathway(user=learner, pathway=pathway, program=None) for _number in range(4)
    )
    copy()
    assert statements(copy) == one


def test_more_than_a_batch(request_, learner, pathway, program, monkeypatch):
    monkeypatch.setattr(imports, "BATCH", 2)
    rows = host.UserCreditPathway.objects.bulk_create(
        host.UserCreditPathway(user=learner, pathway=pathway, program=None) for _number in range(4)
    )
    assert copy() == f"0 public links and {len(rows) + 1} credit requests copied, 0 updated.\n"
    assert copy() == "0 public links and 0 credit requests copied, 0 updated.\n"


def test_two_at_once_do_not_double(request_, monkeypatch):
    known = imports._known

    def meanwhile(rows):
        found = known(rows)
        monkeypatch.setattr(imports, "_known", known)
        copy()
        return found

    monkeypatch.setattr(imports, "_known", meanwhile)
    # The row of the other import is there, though the first had looked before.
    with pytest.raises(CommandError, match="Run it again") as raised:
        copy()
    assert isinstance(raised.value.__cause__, IntegrityError)
    copy()
    assert UserCreditPathway.objects.count() == 1
