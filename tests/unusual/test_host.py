"""What only this host shows: many settings at once, two admin sites, and users without an email address."""

import re
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.formats import localize

from credit_pathways import api
from credit_pathways.models import ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support.html import Page, parse
from tests.support.threads import run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)

#: An id with a thousand separator of English or French.
FORMATTED_ID = re.compile("\\b1[,\xa0\u202f]0\\d\\d\\b")


def url(name, *args):
    return reverse(f"credit_pathways:{name}", args=args)


def post_json(client, name, program, **body):
    return client.post(url(name, program.uuid), {"username": "halima", **body}, content_type="application/json")


def public_link():
    return f"https://example.com/credentials/en/records/programs/shared/{ProgramCertRecord.objects.get().uuid.hex}/"


def texts(mail):
    return [mail.get_body((kind,)).get_content() for kind in ("plain", "html")]


def test_the_host_is_unusual(learner, request_row):
    assert FORMATTED_ID.fullmatch(localize(request_row.pk))
    fields = {field.name for field in get_user_model()._meta.get_fields()}
    assert not fields & {"email", "is_active", "first_name", "last_name"}
    with pytest.raises(ConnectionError):
        cache.get("x")


class TestAccounts:
    def test_an_account_whose_state_is_computed(self, client, program, pathway, relay, request_row, monkeypatch):
        """No query can know it."""
        link = url("public_record", ProgramCertRecord.objects.get().uuid)
        assert Client().get(link).status_code == 200
        monkeypatch.setattr(get_user_model(), "is_active", property(lambda _self: False))
        assert Client().get(link).status_code == 404
        assert api.deliver(request_row) == "failed"
        assert relay.messages == []


class TestPublicLink:
    def test_is_the_same_everywhere(self, client, program, pathway, relay):
        link = post_json(client, "share", program).json()["url"]
        assert link == public_link()
        number = post_json(client, "send", program, pathway_id=pathway.pk).json()["id"]
        assert all(link in text and f"{link}csv" in text for text in texts(relay.messages[0]))
        with translation.override("fr"):
            french = [url("program_record", program.uuid), url("credit_request", number)]
        for page in (url("program_record", program.uuid), url("credit_request", number), *french):
            assert link in parse(client.get(page)).hrefs
        assert parse(client.get(urlsplit(link).path)).text.count(link) == 1

    def test_is_the_same_in_a_worker(self, request_row, relay):
        """Its thread has served no web request."""
        run_concurrently(1, lambda: api.deliver(request_row))
        assert all(public_link() in text for text in texts(relay.messages[0]))

    def test_opens_in_every_language(self, client, request_row):
        shared = ProgramCertRecord.objects.get()
        for language in ("en", "fr", "ar"):
            with translation.override(language):
                page = parse(client.get(url("public_record", shared.uuid)))
            assert page.attributes(page.find_all("html")[0])["lang"] == language


class TestAdminSites:
    @pytest.fixture(params=["admin", "office"])
    def site(self, request):
        return request.param

    @pytest.fixture
    def admin_url(self, site):
        """Return a function that returns the address of a page of the admin site."""

        def admin_url(model, page, *args):
            return reverse(f"admin:credit_pathways_{model}_{page}", args=args, current_app=site)

        return admin_url

    def test_pages_lead_to_their_own_site(self, site, admin_url, admin_client, request_row, program, pathway, learner):
        shared = ProgramCertRecord.objects.get()
        synced = factories.ProgramFactory(is_synced=True)
        [other] = {"admin", "office"} - {site}
        pages = [
            *(admin_url("usercreditpathway", page) for page in ("changelist", "report", "export")),
            f"{admin_url('usercreditpathway', 'deliver_again')}?id={request_row.pk}",
            *(admin_url(model, "changelist") for model in ("program", "pathway", "programcertrecord")),
            *(
                admin_url(row._meta.model_name, "change", row.pk)
                for row in (request_row, shared, program, pathway, synced)
            ),
        ]
        for path in pages:
            page = parse(admin_client.get(path))
            links = [
                attrs[name]
                for _tag, attrs in page.elements
                for name in ("href", "action", "formaction")
                if attrs.get(name)
            ]
            elsewhere = reverse("admin:index", current_app=other)
            assert [link for link in links if link.startswith(elsewhere)] == [], path
        found = parse(admin_client.get(admin_url("usercreditpathway", "changelist"))).hrefs
        assert admin_url("program", "change", program.pk) in found
        assert reverse("admin:unusual_user_change", args=[learner.pk], current_app=site) in found

    def test_redirects_lead_to_their_own_site(self, admin_url, admin_client, request_row, relay):
        changelist, confirm = (admin_url("usercreditpathway", page) for page in ("changelist", "deliver_again"))
        chosen = {"action": "deliver_again", "_selected_action": [request_row.pk]}
        assert urlsplit(admin_client.post(changelist, chosen)["Location"]).path == confirm
        assert urlsplit(admin_client.post(confirm, {"id": request_row.pk})["Location"]).path == changelist
        assert UserCreditPathway.objects.get().status == "sent"

    def test_a_refused_export_leads_to_its_own_site(self, admin_url, admin_client, request_row, monkeypatch):
        monkeypatch.setattr("credit_pathways.admin.export.MAX_LISTED_ROWS", 1)
        answer = admin_client.post(admin_url("usercreditpathway", "export"), {"format": "0"})
        assert urlsplit(answer["Location"]).path == admin_url("usercreditpathway", "changelist")

    def test_ids_are_not_formatted(self, admin_url, admin_client, request_row, program, pathway):
        shared, failed = ProgramCertRecord.objects.get(), factories.UserCreditPathwayFactory(program=None)
        for path in (
            *(admin_url(model, "changelist") for model in ("usercreditpathway", "program", "pathway")),
            f"{admin_url('usercreditpathway', 'deliver_again')}?id={request_row.pk}&id={failed.pk}",
            f"{admin_url('usercreditpathway', 'changelist')}?program={program.pk}&pathway={pathway.pk}",
            *(admin_url(row._meta.model_name, "change", row.pk) for row in (request_row, shared, program, pathway)),
        ):
            assert not FORMATTED_ID.search(admin_client.get(path).content.decode()), path
        page = admin_client.post(admin_url("usercreditpathway", "deliver_again"), {"id": failed.pk}, follow=True)
        assert f"Request {failed.pk}: " in parse(page).text


class TestLearnersPages:
    def test_ids_are_not_formatted(self, client, program, pathway, relay):
        refused = factories.PathwayFactory(programs=[program])
        relay.replies[refused.email] = "550 no such user"
        chosen = {"pathway": [pathway.pk, refused.pk]}
        page = client.post(url("request_credit", program.uuid), chosen, follow=True)
        sent, failed = UserCreditPathway.objects.order_by("pathway_id").values_list("pk", flat=True)
        assert str(sent) in parse(page).text
        assert str(failed) in parse(page).text
        with translation.override("fr"):
            french = url("credit_requests")
        receipt, overview = (client.get(each) for each in (url("credit_request", sent), french))
        for content in [*(each.content.decode() for each in (page, receipt, overview)), *texts(relay.messages[0])]:
            assert not FORMATTED_ID.search(content)
            assert str(sent) in content

    def test_a_form_has_its_csrf_token(self, learner, program, pathway, relay):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(learner)
        page = parse(strict.get(url("program_record", program.uuid)))
        _form, attributes, hidden = page.form_submitted_by("Send")
        assert strict.post(attributes["action"], {**hidden, "pathway": pathway.pk}).status_code == 302
        assert UserCreditPathway.objects.get().status == "sent"


class TestWithoutEmailAddresses:
    def test_the_institution_cannot_reply(self, client, program, pathway, relay):
        page = parse(client.get(url("program_record", program.uuid)))
        assert "no email address for the answer: your account has none" in page.text
        assert post_json(client, "send", program, pathway_id=pathway.pk).status_code == 200
        [mail] = relay.messages
        assert (mail["Reply-To"], "reply to this email" in str(texts(mail))) == (None, False)

    def test_the_learner_gets_no_email(self, request_row, relay, settings):
        settings.CREDIT_PATHWAYS_LEARNER_EMAILS = "all"
        assert api.deliver(request_row) == "sent"
        assert api.record_bounce(request_id=request_row.pk, reason="5.1.1")
        assert [mail["To"] for mail in relay.messages] == ["registrar@northfield.example"]

    def test_an_address_that_is_not_a_column(self, request_row, relay, settings, monkeypatch):
        monkeypatch.setattr(get_user_model(), "email", "halima@home.example", raising=False)
        settings.CREDIT_PATHWAYS_LEARNER_EMAILS = "all"
        run_concurrently(1, lambda: api.deliver(request_row))
        [_to_the_institution, mail] = relay.messages
        receipt = f"https://example.com/credentials/en/records/credit-requests/{request_row.pk}/"
        assert mail["To"] == "halima@home.example"
        assert Page(texts(mail)[1]).hrefs == [receipt]
        assert receipt in texts(mail)[0].splitlines()


class TestJson:
    @pytest.mark.parametrize("accept", ["*/*", "application/json; version=v1", "application/json; version=v9"])
    def test_whatever_the_request_accepts(self, accept, client, program, request_row):
        shared = ProgramCertRecord.objects.get()
        for path in (
            url("api-records-list"),
            url("api-records-detail", program.uuid),
            f"{url('api-records-detail', shared.uuid)}?is_public=true",
            url("api-credit-requests-list"),
        ):
            answer = client.get(path, headers={"accept": accept})
            assert (answer.status_code, answer["Content-Type"]) == (200, "application/json"), path

    def test_errors(self, client, program, pathway):
        client.logout()
        assert set(client.get(url("api-records-list")).json()) == {"detail"}
        client.force_login(get_user_model().objects.get(username="halima"))
        unknown = factories.ProgramFactory.build(site=None)
        for answer, status, keys in (
            (post_json(client, "send", program), 400, {"pathway_id"}),
            (post_json(client, "send", program, username="dario", pathway_id=pathway.pk), 403, {"detail"}),
            (post_json(client, "send", unknown, pathway_id=pathway.pk), 404, {"detail"}),
            (client.get(url("send", program.uuid)), 405, {"detail"}),
            (client.post(url("send", program.uuid), {"username": "halima"}), 415, {"detail"}),
        ):
            assert (answer.status_code, set(answer.json())) == (status, keys)

    def test_the_list_has_cursor_pages(self, client, learner, program, pathway):
        factories.UserCreditPathwayFactory.create_batch(3, user=learner, program=program, pathway=pathway)
        page = client.get(url("api-credit-requests-list")).json()
        assert (page.keys(), len(page["results"])) == ({"next", "previous", "results"}, 3)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT.+Z", page["results"][0]["created"])
