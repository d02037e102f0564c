"""
A host whose app, users and sites are in another database than ``default``, which no test here may use.

Without ``using=``, Django opens transactions in ``default``, calls functions when those commit, and exempts views from
the ``ATOMIC_REQUESTS`` of ``default``.
"""

from io import StringIO

import pytest
from credentials.apps.catalog import models as catalog
from credentials.apps.records import models as records
from django.contrib.sites.models import Site
from django.core.management import call_command
from django.db import connections
from django.urls import reverse

from credit_pathways import api
from credit_pathways.catalog.sync import synchronize
from credit_pathways.models import ProgramCertRecord, UserCreditPathway
from tests.support import reports
from tests.support.catalog_items import pathway_item, program_item
from tests.support.links import open_link

pytestmark = pytest.mark.django_db(transaction=True, databases=["second"])

ALIVE, DEAD = [200] * 3, [404] * 3


@pytest.fixture(autouse=True)
def _everything_in_the_second_database(settings):
    settings.DATABASE_ROUTERS = ["tests.support.routers.SecondDatabaseRouter"]
    Site.objects.clear_cache()
    yield
    Site.objects.clear_cache()


def post(client, name, program, **data):
    url = reverse(f"credit_pathways:{name}", args=[program.uuid])
    return client.post(url, {"username": "halima", **data}, content_type="application/json")


def post_form(client, name, program, **data):
    return client.post(reverse(f"credit_pathways:{name}", args=[program.uuid]), data, follow=True)


def statuses():
    return list(UserCreditPathway.objects.order_by("pk").values_list("status", flat=True))


@pytest.mark.usefixtures("atomic_requests")
class TestViews:
    def test_a_request_is_committed_then_sent(self, client, program, pathway, relay):
        seen = []

        def look():
            seen.extend(statuses())
            connections["second"].close()

        relay.on_data = look
        page = post_form(client, "request_credit", program, pathway=pathway.pk)
        assert [message.level_tag for message in page.context["messages"]] == ["success"]
        assert post(client, "send", program, pathway_id=pathway.pk).json()["status"] == "sent"
        assert (seen, statuses()) == (["pending", "sent", "pending"], ["sent", "sent"])

    def test_a_request_is_queued(self, client, program, pathway, relay, settings):
        settings.CREDIT_PATHWAYS_DELIVERY, settings.CELERY_TASK_ALWAYS_EAGER = "celery", True
        assert post(client, "send", program, pathway_id=pathway.pk).json()["status"] == "sent"
        assert (statuses(), len(relay.messages)) == (["sent"], 1)

    def test_sharing_and_revoking(self, client, program):
        for name in ("share_link", "revoke", "share_link"):
            post_form(client, name, program)
        shared_record = ProgramCertRecord.objects.get()
        assert post(client, "share", program).status_code == 200
        assert open_link(client, shared_record.uuid) == ALIVE
        post_form(client, "revoke", program)
        assert open_link(client, shared_record.uuid) == DEAD

    def test_the_retry_in_the_admin(self, log_in_staff, request_row, relay):
        client = log_in_staff("view_usercreditpathway", "deliver_usercreditpathway")
        client.post("/admin/credit_pathways/usercreditpathway/deliver-again/", {"id": request_row.pk})
        assert (statuses(), len(relay.messages)) == (["sent"], 1)

    def test_retirement(self, log_in_staff, request_row):
        client, url = log_in_staff("retire_learner"), reverse("credit_pathways:api-retire-learner")
        assert client.post(url, {"username": "halima"}, content_type="application/json").status_code == 204
        assert (statuses(), ProgramCertRecord.objects.count()) == (["failed"], 0)


class TestCommands:
    def test_deliver_pending(self, request_row, relay):
        out = StringIO()
        call_command("deliver_pending", older_than=0, stdout=out)
        assert (statuses(), len(relay.messages)) == (["sent"], 1)

    def test_record_bounces(self, request_row, relay, tmp_path):
        api.deliver(request_row)
        file = tmp_path / "report"
        file.write_bytes(reports.postfix(relay.messages[0]))
        call_command("record_bounces", str(file), stdout=StringIO())
        assert UserCreditPathway.objects.get().bounced_at
        assert [message["To"] for message in relay.messages] == ["registrar@northfield.example", "halima@home.example"]

    def test_a_synchronization_is_one_transaction(self):
        program = program_item()
        items = {"programs": [program], "pathways": [pathway_item(program)]}
        for is_dry, changes in ((True, 3), (False, 3), (False, 0)):
            result = synchronize(site=Site.objects.get_current(), dry_run=is_dry, **items)
            assert len(result.changes) == changes

    @pytest.mark.parametrize("is_dry", [True, False])
    def test_an_import_is_one_transaction(self, is_dry, learner, program):
        theirs = catalog.Program.objects.create(site=program.site, uuid=program.uuid, title=program.title)
        records.ProgramCertRecord.objects.create(user=learner, program=theirs)
        call_command("import_credentials_requests", dry_run=is_dry, stdout=StringIO())
        assert ProgramCertRecord.objects.exists() is not is_dry
