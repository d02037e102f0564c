"""
Text that the database cannot store, or compare with, is reported or matches nothing.

``make test-all`` runs this on MariaDB with the character set ``utf8mb3``, which has no emojis. Other databases store
all of these texts but half a surrogate pair, which none does.
"""

import json
import os

import pytest
from django.contrib.sites.models import Site
from django.core.management import CommandError, call_command
from django.urls import reverse

from credit_pathways import database
from credit_pathways.delivery.bounces import record_bounce
from credit_pathways.models import Pathway, Program
from credit_pathways.shortcuts import find_learner
from tests import factories
from tests.support.catalog_items import pathway_item, program_item

pytestmark = pytest.mark.django_db

HAS_EMOJIS = os.environ.get("TEST_CHARSET") != "utf8mb3"
TEXTS = ["🚀", "漢字", "Ünïcödé", "\ud800"]


def url(model, page, *args):
    return reverse(f"admin:credit_pathways_{model}_{page}", args=args)


class TestSynchronization:
    def sync(self, tmp_path, capsys, programs, pathways=()):
        file = tmp_path / "catalog.json"
        file.write_text(json.dumps({"programs": programs, "pathways": list(pathways)}))
        try:
            call_command("sync_catalog", file=file)
        except CommandError as error:
            return f"{capsys.readouterr().err}{error}"
        return ""

    def test_items_that_the_database_rejects_are_named_and_skipped(self, tmp_path, capsys):
        programs = [program_item(title=title) for title in ("A", "B 🚀", "C", "D", "E 🚀", "F")]
        pathways = [pathway_item(*programs[:2]), pathway_item(programs[0], org_name="🎓")]
        problems = self.sync(tmp_path, capsys, programs, pathways)
        titles = set(Program.objects.values_list("title", flat=True))
        assert titles >= {"A", "C", "D", "F"}
        assert Pathway.objects.filter(programs__title="A").count() == (2 if HAS_EMOJIS else 1)
        rejected = [item["uuid"] for item in (programs[1], programs[4], pathways[1])]
        assert [f"{uuid}: the database rejected it" in problems for uuid in rejected] == [not HAS_EMOJIS] * 3
        assert ("title" in problems) is not HAS_EMOJIS
        assert len(titles) == (6 if HAS_EMOJIS else 4)

    def test_a_changed_item_that_the_database_rejects_leaves_its_row_as_it_is(self, tmp_path, capsys):
        programs = [program_item(title=title) for title in ("A", "B")]
        self.sync(tmp_path, capsys, programs)
        programs[0]["title"], programs[1]["title"] = "A 🚀", "C"
        problems = self.sync(tmp_path, capsys, programs)
        titles = set(Program.objects.values_list("title", flat=True))
        assert titles == ({"A 🚀", "C"} if HAS_EMOJIS else {"A", "C"})
        assert (programs[0]["uuid"] in problems) is not HAS_EMOJIS

    def test_the_links_of_a_pathway_that_the_database_rejects_are_left_as_they_are(self, tmp_path, capsys):
        program = program_item()
        pathway = pathway_item(program)
        self.sync(tmp_path, capsys, [program], [pathway])
        pathway.update(name="Master 🚀", programs=[])
        self.sync(tmp_path, capsys, [program], [pathway])
        assert Pathway.objects.get().programs.count() == (0 if HAS_EMOJIS else 1)

    @pytest.mark.parametrize("item", [{"title": "\u3164"}, {"title": "a\ud800"}])
    def test_text_that_shows_nothing_or_is_not_unicode(self, item, tmp_path, capsys):
        problems = self.sync(tmp_path, capsys, [program_item(), program_item(**item)])
        assert "program 2" in problems
        assert "title" in problems
        assert Program.objects.count() == 1

    def test_a_pathway_without_a_visible_name(self, tmp_path, capsys):
        problems = self.sync(tmp_path, capsys, [program_item()], [pathway_item(org_name="\u200b")])
        assert "org_name" in problems
        assert not Pathway.objects.exists()

    @pytest.mark.parametrize("text", TEXTS, ids=ascii)
    def test_the_site(self, text):
        with pytest.raises(CommandError, match="There is no site"):
            call_command("sync_catalog", "--file", "catalog.json", "--site", text)


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
class TestLookups:
    def test_a_username(self, text, learner):
        assert find_learner(text) is None
        with pytest.raises(CommandError, match="There is no user"):
            call_command("retire_learner", text)

    def test_retiring(self, text, log_in_staff):
        client = log_in_staff("retire_learner")
        body = json.dumps({"username": text})
        response = client.post(reverse("credit_pathways:api-retire-learner"), body, content_type="application/json")
        assert response.status_code == (400 if text == "\ud800" else 404)

    @pytest.mark.parametrize("model", ["program", "pathway", "programcertrecord", "usercreditpathway"])
    def test_lists_of_the_admin(self, text, model, admin_client, request_row):
        query = text.encode("utf-8", "replace").decode()
        response = admin_client.get(url(model, "changelist"), {"q": f"{query}@x"})
        assert response.status_code == 200
        assert list(response.context["cl"].result_list) == []
        filtered = admin_client.get(url(model, "changelist"), {"status__exact": query}, follow=True)
        assert filtered.status_code == (200 if model in {"program", "pathway"} else 400)
        assert admin_client.get(reverse("admin:autocomplete"), {"term": query, **PROGRAM_FIELD}).status_code == 200

    def test_the_rest_of_a_transaction_is_possible(self, text, learner):
        """In a test, there is always one."""
        assert database.matching(Site.objects.filter(domain=text)) == []
        assert Site.objects.count() == 1


PROGRAM_FIELD = {"app_label": "credit_pathways", "model_name": "usercreditpathway", "field_name": "program"}


class TestAdmin:
    def add(self, client, **values):
        data = {
            "site": 1, "uuid": "0" * 32, "title": "Statistics", "type": "", "school": "", "status": "active", **values,
        }  # fmt: skip
        return client.post(url("program", "add"), data)

    @pytest.mark.parametrize("name", ["title", "school", "type"])
    def test_emojis(self, name, admin_client):
        response = self.add(admin_client, **{name: "Data 🚀"})
        assert Program.objects.count() == HAS_EMOJIS
        assert ("The database cannot store" in response.content.decode()) is not HAS_EMOJIS

    @pytest.mark.parametrize("name", ["title", "school"])
    def test_text_that_shows_nothing(self, name, admin_client):
        assert "Enter text that people can see." in self.add(admin_client, **{name: "\u3164"}).content.decode()
        assert not Program.objects.exists()

    def test_two_rows_with_the_same_uuid(self, admin_client):
        self.add(admin_client)
        assert "already exists" in self.add(admin_client, title="Other").content.decode()


@pytest.mark.parametrize("reason", ["550 mailbox 満杯 🚀", "550 \ud800", "550 café"], ids=ascii)
def test_the_reason_of_a_bounce(reason, learner):
    row = factories.UserCreditPathwayFactory(user=learner, status="sent")
    assert record_bounce(request_id=row.pk, reason=reason)
    row.refresh_from_db()
    assert row.bounce_reason.startswith("550 ")
