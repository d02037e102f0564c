"""A host whose database router reads from a replica that lags behind (promise 8)."""

from io import StringIO

import pytest
from credentials.apps.catalog import models as catalog
from credentials.apps.records import models as records
from django.contrib.auth import get_user_model
from django.contrib.sites.models import Site
from django.core.management import call_command
from django.urls import reverse

from credit_pathways import api
from credit_pathways.catalog.sync import synchronize
from credit_pathways.delivery import later
from credit_pathways.models import Pathway, ProgramCertRecord, UserCreditPathway
from tests.support.catalog_items import pathway_item, program_item
from tests.support.links import open_link
from tests.support.routers import replicate

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "second"])

ALIVE, DEAD = [200] * 3, [404] * 3
DELIVER_AGAIN = "/admin/credit_pathways/usercreditpathway/deliver-again/"


@pytest.fixture(autouse=True)
def _replica(learner, settings):
    """A replica that knows the learner, and nothing that happens after, until a test calls ``replicate``."""
    settings.DATABASE_ROUTERS = ["tests.support.routers.ReplicaRouter"]
    replicate()


@pytest.fixture
def staff(log_in_staff):
    """Somebody whom the replica knows, too."""
    client = log_in_staff("view_usercreditpathway", "deliver_usercreditpathway", "retire_learner")
    replicate()
    return client


def post(client, name, program, **data):
    url = reverse(f"credit_pathways:{name}", args=[program.uuid])
    return client.post(url, {"username": "halima", **data}, content_type="application/json")


def post_form(client, program, pathway):
    url = reverse("credit_pathways:request_credit", args=[program.uuid])
    return client.post(url, {"pathway": pathway.pk}, follow=True)


def messages(page):
    return [str(message) for message in page.context["messages"]]


def primary():
    return UserCreditPathway.objects.using("default")


def run(command, **options):
    out = StringIO()
    call_command(command, stdout=out, **options)
    return out.getvalue().splitlines()


class TestNotYetInTheReplica:
    """Program, pathway, request and link are only in the primary database."""

    def test_the_form(self, client, program, pathway, relay):
        page = post_form(client, program, pathway)
        assert messages(page)[0].startswith("Master of Science: your request was sent to Northfield University.")
        assert (primary().get().status, len(relay.messages)) == ("sent", 1)
        assert client.get(f"/records/credit-requests/{primary().get().pk}/").status_code == 200

    def test_send(self, client, program, pathway, relay):
        response = post(client, "send", program, pathway_id=pathway.pk)
        assert response.json() == {"id": primary().get().pk, "status": "sent"}
        assert len(relay.messages) == 1
        [row] = client.get(reverse("credit_pathways:api-credit-requests-list")).json()["results"]
        assert (row["id"], row["username"], row["program"]) == (primary().get().pk, "halima", "Statistics")

    def test_the_learner_of_a_bounce(self, request_row, relay):
        get_user_model()._base_manager.using("second").all().delete()
        assert api.deliver(request_row) == "sent"
        assert api.record_bounce(request_id=request_row.pk, reason="5.1.1 halima@home.example")
        assert primary().get().bounce_reason == "5.1.1 …"

    def test_a_link(self, client, program):
        for status in (201, 200):
            assert post(client, "share", program).status_code == status
            assert open_link(client, ProgramCertRecord.objects.using("default").get().uuid) == ALIVE

    def test_the_first_attempt_of_a_worker(self, request_row, relay):
        assert later.attempt_delivery(request_id=request_row.pk, queued_after=0) is None
        assert (primary().get().status, len(relay.messages)) == ("sent", 1)

    def test_deliver_pending(self, request_row, relay):
        name = f"credit request {request_row.pk}"
        options = {"command": "deliver_pending", "older_than": 0}
        assert run(**options, dry_run=True) == [f"{name}: pending", "1 request to deliver (dry run)."]
        assert run(**options) == [f"{name}: sent", "1 request: 1 sent, 0 failed."]
        assert run(**options, dry_run=True) == ["0 requests to deliver (dry run)."]

    def test_the_retry_in_the_admin(self, staff, request_row, relay):
        page = staff.get(DELIVER_AGAIN, {"id": request_row.pk})
        assert f"{request_row.pk}: halima, Statistics" in page.content.decode()
        staff.post(DELIVER_AGAIN, {"id": request_row.pk})
        assert (primary().get().status, len(relay.messages)) == ("sent", 1)

    def test_a_bounce_and_its_email(self, request_row, relay):
        UserCreditPathway.objects.update(status="sent")
        assert api.record_bounce(request_id=request_row.pk, reason="5.1.1")
        assert primary().get().bounce_reason == "5.1.1"
        assert [message["To"] for message in relay.messages] == ["halima@home.example"]

    def test_retirement(self, staff, request_row, relay):
        url = reverse("credit_pathways:api-retire-learner")
        assert staff.post(url, {"username": "halima"}, content_type="application/json").status_code == 204
        assert primary().get().status == "failed"
        assert not ProgramCertRecord.objects.using("default").exists()


class TestOutdatedReplica:
    """What has changed since is only in the primary database."""

    def test_a_revoked_link_is_dead_and_the_next_one_is_new(self, client, learner, program):
        old = api.share_record(user=learner, program=program)
        replicate()
        client.post(reverse("credit_pathways:revoke", args=[program.uuid]))
        assert open_link(client, old.uuid) == DEAD
        assert post(client, "share", program).status_code == 201
        assert open_link(client, old.uuid) == DEAD
        assert open_link(client, ProgramCertRecord.objects.using("default").get().uuid) == ALIVE

    def test_an_inactive_account(self, client, learner, request_row, relay):
        replicate()
        type(learner).objects.update(is_active=False)
        assert open_link(client, ProgramCertRecord.objects.using("default").get().uuid) == DEAD
        assert api.deliver(request_row) == "failed"
        assert relay.messages == []

    def test_a_retired_pathway(self, client, program, pathway, relay):
        replicate()
        Pathway.objects.update(status="retired")
        assert post(client, "send", program, pathway_id=pathway.pk).status_code == 404
        assert "takes no requests for this program now" in messages(post_form(client, program, pathway))[0]
        assert (primary().exists(), relay.messages) == (False, [])

    def test_a_new_address_and_a_new_domain(self, client, program, pathway, request_row, relay):
        replicate()
        Pathway.objects.update(email="credit@northfield.example")
        Site.objects.update(domain="records.example")
        later.attempt_delivery(request_id=request_row.pk, queued_after=0)
        post(client, "send", program, pathway_id=pathway.pk)
        assert [message["To"] for message in relay.messages] == ["credit@northfield.example"] * 2
        assert all("https://records.example/" in message.as_string() for message in relay.messages)

    def test_a_request_that_was_sent(self, staff, request_row, relay):
        replicate()
        UserCreditPathway.objects.update(status="sent")
        assert run("deliver_pending", older_than=0) == ["0 requests: 0 sent, 0 failed."]
        assert later.attempt_delivery(request_id=request_row.pk, queued_after=0) is None
        page = staff.post(DELIVER_AGAIN, {"id": request_row.pk}, follow=True)
        assert messages(page) == [f"Request {request_row.pk}: not delivered: it was sent already."]
        assert relay.messages == []

    def test_a_catalog(self):
        programs = [program_item()]
        items = {"programs": programs, "pathways": [pathway_item(*programs)]}
        assert len(synchronize(site=Site.objects.get_current(), **items).changes) == 3
        assert synchronize(site=Site.objects.get_current(), **items).changes == []

    def test_an_import(self, learner, program):
        """A link that was imported, then withdrawn, stays withdrawn."""
        theirs = catalog.Program.objects.create(site=program.site, uuid=program.uuid, title=program.title)
        records.ProgramCertRecord.objects.create(user=learner, program=theirs)
        assert run("import_credentials_requests")[0].startswith("1 public link ")
        api.revoke_record(user=learner, program=program)
        assert run("import_credentials_requests")[0].startswith("0 public links ")
