"""The pages, without JavaScript. Delivery is tested in test_promises.py."""

import re
import uuid
from pathlib import Path

import pytest
from django.contrib.messages import get_messages
from django.db import transaction
from django.test import Client
from django.urls import reverse

import credit_pathways
from credit_pathways.models import ProgramCertRecord, UserCreditPathway
from credit_pathways.throttling import RequestRateThrottle
from tests import factories
from tests.support.html import parse
from tests.support.links import absolute_url
from tests.support.record_source import NO_RECORD, FixedRecordSource

SENT = "your request was sent to"

pytestmark = pytest.mark.django_db(transaction=True)


def url(name, program, **kwargs):
    return reverse(f"credit_pathways:{name}", args=[program.uuid])


def said(response):
    return [(message.level_tag, str(message)) for message in get_messages(response.wsgi_request)]


@pytest.fixture
def nobody(client):
    """A browser in which a learner without a record is logged in."""
    client.force_login(factories.UserFactory(username=NO_RECORD))
    return client


class TestIndex:
    def test_lists_my_programs(self, client, program):
        page = client.get(reverse("credit_pathways:index"))
        assert url("program_record", program) in parse(page).hrefs
        assert "Statistics" in page.content.decode()

    def test_an_empty_list_is_explained(self, nobody, program):
        assert "No program records yet" in nobody.get(reverse("credit_pathways:index")).content.decode()


class TestProgramRecordPage:
    def test_shows_the_record(self, client, program, pathway):
        text = parse(client.get(url("program_record", program))).text
        for part in ("Statistics", "MicroMasters", "Halima Khan", "Probability", "91%", "June 15, 2026", "Not earned"):
            assert part in text
        assert "Partially completed" in text

    @pytest.mark.parametrize(
        ("attribute", "value", "words"), [("completed", True, "Completed"), ("courses", (), "Not earned yet")]
    )
    def test_shows_the_progress(self, attribute, value, words, client, program, monkeypatch):
        monkeypatch.setattr(FixedRecordSource, attribute, value)
        assert words in parse(client.get(url("program_record", program))).text

    def test_offers_the_requestable_pathways(self, client, program, pathway):
        factories.PathwayFactory(programs=[program], status="retired")
        page = parse(client.get(url("program_record", program)))
        assert [(box["name"], box["value"]) for box in page.checkboxes] == [("pathway", str(pathway.pk))]
        assert {"Request credit", "Send"} <= set(page.buttons)

    def test_offers_the_same_whatever_was_requested(self, client, program, pathway, relay):
        before = parse(client.get(url("program_record", program)))
        for status in UserCreditPathway.Status.values:
            factories.UserCreditPathwayFactory(
                user_id=client.session["_auth_user_id"], program=program, pathway=pathway, status=status
            )
        client.post(url("request_credit", program), {"pathway": pathway.pk})
        client.get(url("program_record", program))
        assert parse(client.get(url("program_record", program))).checkboxes == before.checkboxes

    def test_without_pathways_there_is_no_button(self, client, program):
        page = parse(client.get(url("program_record", program)))
        assert "Request credit" not in page.buttons
        assert "No institution takes credit requests" in page.text

    def test_is_not_cached(self, client, program):
        assert "no-store" in client.get(url("program_record", program))["Cache-Control"]

    def test_links_to_the_index(self, client, program):
        assert reverse("credit_pathways:index") in parse(client.get(url("program_record", program))).hrefs


@pytest.mark.parametrize(
    ("method", "name"),
    [("get", "program_record"), ("post", "request_credit"), ("post", "share_link"), ("post", "revoke")],
)
class TestPermissions:
    def test_anonymous_users_log_in_first(self, method, name, client, program, pathway):
        client.logout()
        answer = getattr(client, method)(url(name, program))
        assert (answer.status_code, answer.url.split("?")[0]) == (302, reverse("login"))

    def test_an_unknown_program_is_not_found(self, method, name, client, db):
        assert getattr(client, method)(reverse(f"credit_pathways:{name}", args=[uuid.uuid4()])).status_code == 404

    def test_a_program_of_another_site_is_not_found(self, method, name, client):
        program = factories.ProgramFactory(site=factories.SiteFactory())
        assert getattr(client, method)(url(name, program)).status_code == 404

    def test_redirects_to_the_page_after_login(self, method, name, client, program, pathway, learner):
        client.logout()
        login = getattr(client, method)(url(name, program)).url
        client.force_login(learner)
        assert login.split("?next=")[1] == url("program_record", program)
        assert client.get(login.split("?next=")[1]).status_code == 200

    def test_the_other_method_is_not_allowed(self, method, name, client, program):
        assert getattr(client, {"get": "post", "post": "get"}[method])(url(name, program)).status_code == 405


@pytest.mark.parametrize(
    ("method", "name"), [("get", "program_record"), ("post", "request_credit"), ("post", "share_link")]
)
def test_without_a_record_there_is_no_page(method, name, nobody, program, pathway):
    assert getattr(nobody, method)(url(name, program), {"pathway": pathway.pk}).status_code == 404
    assert not UserCreditPathway.objects.exists()
    assert not ProgramCertRecord.objects.exists()


class TestRequestCredit:
    def test_one_message_for_each_pathway_and_back_to_the_page(self, client, program, pathway, relay):
        other = factories.PathwayFactory(name="Diploma", org_name="Lakeside", programs=[program])
        answer = client.post(url("request_credit", program), {"pathway": [pathway.pk, other.pk]})
        assert (answer.status_code, answer.url) == (302, url("program_record", program))
        diploma, master = UserCreditPathway.objects.order_by("pathway__name").values_list("pk", flat=True)
        assert said(answer) == [
            ("success", f"Diploma: {SENT} Lakeside. Your request number is {diploma}."),
            ("success", f"Master of Science: {SENT} Northfield University. Your request number is {master}."),
        ]
        assert len(relay.messages) == UserCreditPathway.objects.count() == 2

    def test_the_request_is_pending_inside_a_transaction(self, client, program, pathway, relay):
        with transaction.atomic():
            answer = client.post(url("request_credit", program), {"pathway": pathway.pk})
        [(level, text)] = said(answer)
        assert (level, "is recorded. Its email has not left yet." in text) == ("info", True)

    def test_choosing_nothing(self, client, program, pathway):
        assert said(client.post(url("request_credit", program)))[0][1].startswith("Nothing was sent: choose")

    def test_a_pathway_that_is_not_requestable_does_not_stop_the_others(self, client, program, pathway, relay):
        gone = factories.PathwayFactory(programs=[program], status="retired")
        answer = client.post(url("request_credit", program), {"pathway": [gone.pk, pathway.pk]})
        assert [level for level, _text in said(answer)] == ["success", "warning"]
        assert said(answer)[1][1].endswith("Nothing was sent to it.")
        assert len(relay.messages) == 1

    def test_unknown_pathways_share_one_message(self, client, program, pathway):
        answer = client.post(url("request_credit", program), {"pathway": range(10**6, 10**6 + 500)})
        [(level, text)] = said(answer)
        assert (level, text[:19]) == ("warning", "500 of your choices")

    @pytest.mark.parametrize(
        ("wait", "words"), [(1, "1 second."), (120, "120 seconds."), (121, "3 minutes."), (86_400, "1 day.")]
    )
    def test_the_flood_guard_shows_when_to_try_again(self, wait, words, client, program, pathway, monkeypatch):
        monkeypatch.setattr(RequestRateThrottle, "seconds_to_wait", lambda _throttle, _request: wait)
        [(_level, text)] = said(client.post(url("request_credit", program), {"pathway": pathway.pk}))
        assert text.replace("\xa0", " ").endswith(f"Nothing was done. Try again in {words}")

    def test_the_flood_guard_counts_pathways(self, client, program, pathway, relay, settings, working_cache):
        settings.CREDIT_PATHWAYS_REQUEST_RATE = "2/minute"
        others = [factories.PathwayFactory(programs=[program]) for _number in range(2)]
        answer = client.post(url("request_credit", program), {"pathway": [p.pk for p in [pathway, *others]]})
        assert [level for level, _text in said(answer)] == ["success", "success", "warning"]
        assert UserCreditPathway.objects.count() == 2
        seconds = int(re.search(r"Try again in (\d+) seconds", said(answer)[-1][1])[1])
        assert 50 <= seconds <= 60

    @pytest.mark.parametrize("value", ["x", "", "0", "-1", "1.5", "9" * 30, "9" * 5000, "1;2", "²", "\x00"])
    def test_an_invalid_id_is_a_bad_request_that_names_the_field(self, value, client, program, pathway):
        answer = client.post(url("request_credit", program), {"pathway": [pathway.pk, value]})
        assert (answer.status_code, answer.content[:8]) == (400, b"pathway:")
        assert not UserCreditPathway.objects.exists()

    def test_needs_the_csrf_token(self, program, pathway, learner):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(learner)
        assert strict.post(url("request_credit", program), {"pathway": pathway.pk}).status_code == 403


class TestTryAgain:
    def again(self, client, program):
        """Press the "Try again" button beside a message."""
        page = parse(client.get(url("program_record", program)))
        _form, attributes, hidden = page.form_submitted_by("Try again")
        return client.post(attributes["action"], hidden)

    def test_offered_beside_a_failed_request_only(self, client, program, pathway, relay):
        refused = factories.PathwayFactory(name="Evening", programs=[program])
        relay.replies["RCPT"] = "550 No"
        client.post(url("request_credit", program), {"pathway": refused.pk})
        relay.replies.clear()
        level, text = said(self.again(client, program))[-1]
        assert (level, text.startswith(f"Evening: {SENT} {refused.org_name}. ")) == ("success", True)
        assert "Try again" not in parse(client.get(url("program_record", program))).buttons
        assert [row.status for row in UserCreditPathway.objects.order_by("pk")] == ["failed", "sent"]

    def test_offered_beside_a_throttled_request(self, client, program, pathway, relay, settings, working_cache):
        settings.CREDIT_PATHWAYS_REQUEST_RATE = "1/hour"
        client.post(url("share_link", program))
        client.post(url("request_credit", program), {"pathway": pathway.pk})
        settings.CREDIT_PATHWAYS_REQUEST_RATE = None
        assert said(self.again(client, program))[-1][0] == "success"

    def test_not_offered_on_the_page_of_another_program(self, client, program, pathway, relay):
        other = factories.ProgramFactory(title="Robotics")
        pathway.programs.add(other)
        relay.replies["RCPT"] = "550 No"
        client.post(url("request_credit", program), {"pathway": pathway.pk})
        page = parse(client.get(url("program_record", other)))
        assert len(page.messages) == 1
        assert "Try again" not in page.buttons

    def test_not_offered_beside_other_messages(self, client, program, pathway, rf):
        client.post(url("revoke", program))
        page = parse(client.get(url("program_record", program)))
        assert len(page.messages) == 1
        assert "Try again" not in page.buttons

    def test_a_logged_out_get_adds_no_message(self, client, program):
        client.logout()
        assert said(client.get(url("request_credit", program))) == []

    def test_a_logged_out_post_adds_a_message(self, client, program, pathway, learner):
        client.logout()
        client.post(url("request_credit", program), {"pathway": pathway.pk})
        client.force_login(learner)
        [text] = parse(client.get(url("program_record", program))).messages
        assert text == "You were logged out, so nothing was done. Please do it again."
        assert not UserCreditPathway.objects.exists()


class TestSharing:
    def test_create_and_stop(self, client, program):
        client.post(url("share_link", program))
        shared = ProgramCertRecord.objects.get()
        page = parse(client.get(url("program_record", program)))
        assert absolute_url("public_record", shared.uuid) in page.hrefs
        assert {"Stop sharing"} == {"Stop sharing", "Create a link"} & set(page.buttons)
        answer = client.post(url("revoke", program))
        assert "not shared any more" in said(answer)[-1][1]
        assert not ProgramCertRecord.objects.exists()
        assert "Create a link" in parse(client.get(url("program_record", program))).buttons

    @pytest.mark.usual_users
    def test_the_dialog_previews_what_institutions_get(self, client, program, pathway):
        before = parse(client.get(url("program_record", program)))
        shown = before.text_of(before.opened_by("Request credit"))
        assert "your name: Halima Khan" in shown
        assert "for the answer: halima@home.example" in shown
        assert "the link to your public record: it is made when you send" in shown
        client.post(url("share_link", program))
        page = parse(client.get(url("program_record", program)))
        shared = ProgramCertRecord.objects.get()
        dialog = page.text_of(page.opened_by("Request credit"))
        assert absolute_url("public_record", shared.uuid) in dialog
        assert "cannot be unsent" in dialog
        assert "links that you sent to institutions stop working too" in page.text_of(page.opened_by("Stop sharing"))

    @pytest.mark.usual_users
    def test_the_dialog_with_an_email_address_that_cannot_be_used(self, client, program, pathway, learner):
        type(learner).objects.update(email="halima@campus")
        page = client.get(url("program_record", program)).content.decode()
        assert "no email address for the answer" in page
        assert "halima@campus" not in page

    def test_the_dialog_without_a_full_name_and_an_email_address(self, client, program, pathway, learner):
        type(learner).objects.update(**factories.name_fields(""), **({} if factories.IS_UNUSUAL else {"email": ""}))
        page = parse(client.get(url("program_record", program)))
        shown = page.text_of(page.opened_by("Request credit"))
        assert "your name: halima" in shown
        assert "no email address for the answer: your account has none" in shown

    def test_the_flood_guard_counts_shares_too(self, client, program, settings, working_cache):
        settings.CREDIT_PATHWAYS_REQUEST_RATE = "1/minute"
        client.post(url("share_link", program))
        client.post(url("revoke", program))
        answer = client.post(url("share_link", program))
        assert "Try again in" in said(answer)[-1][1]
        assert not ProgramCertRecord.objects.exists()


class TestLoginRequiredMiddleware:
    """Hosts may have Django's middleware that requires a login on every page."""

    @pytest.fixture(autouse=True)
    def _middleware(self, settings):
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]

    def test_a_public_record_needs_no_login(self, learner, program):
        shared = factories.ProgramCertRecordFactory(user=learner, program=program)
        page = url("public_record", shared)
        for path in (page, page.rstrip("/"), url("public_record_csv", shared)):
            assert Client().get(path, follow=True).status_code == 200
        shared.delete()
        assert Client().get(page).status_code == 404
        assert Client().get(url("api-records-detail", shared), {"is_public": "true"}).status_code == 404

    def test_after_a_login_in_the_middle_of_a_form_the_page_is_shown(self, program):
        response = Client().post(url("request_credit", program))
        assert response["Location"].endswith(f"?next={url('program_record', program)}")

    def test_other_pages_need_one(self, program):
        for name in ("index", "credit_requests"):
            assert "login" in Client().get(reverse(f"credit_pathways:{name}"))["Location"]
        assert "login" in Client().get(url("program_record", program))["Location"]


class TestPublicRecord:
    @pytest.fixture
    def shared(self, learner, program):
        return factories.ProgramCertRecordFactory(user=learner, program=program)

    @pytest.mark.parametrize("name", ["public_record", "public_record_csv"])
    def test_anyone_with_the_link_can_read_it(self, name, client, shared):
        client.logout()
        answer = client.get(url(name, shared))
        text = answer.content.decode()
        assert (answer.status_code, "Statistics" in text, "Halima Khan" in text) == (200, True, True)
        assert "halima" not in text.replace("Halima", "")
        assert "home.example" not in text

    @pytest.mark.parametrize("name", ["public_record", "public_record_csv", "api-records-detail"])
    def test_is_neither_indexed_nor_cached(self, name, client, shared):
        answer = client.get(url(name, shared), {"is_public": "true"})
        assert "noindex" in answer["X-Robots-Tag"]
        if name == "public_record":
            metas = {attrs.get("name"): attrs.get("content") for tag, attrs in parse(answer).elements if tag == "meta"}
            assert (metas["robots"], metas["referrer"]) == ("noindex, nofollow", "no-referrer")
        assert answer["Referrer-Policy"] == "no-referrer"
        assert "no-store" in answer["Cache-Control"]

    @pytest.mark.parametrize("name", ["public_record", "public_record_csv"])
    def test_the_link_is_dead_after_revoking(self, name, client, shared, program):
        client.post(url("revoke", program))
        client.post(url("share_link", program))
        gone = client.get(url(name, shared))
        assert (gone.status_code, "ask the learner for a new one" in gone.content.decode()) == (404, True)
        assert ("Statistics" in gone.content.decode(), gone["X-Robots-Tag"]) == (False, "noindex, nofollow")

    def test_shows_its_own_address(self, client, shared):
        page = parse(client.get(url("public_record", shared)))
        assert absolute_url("public_record", shared.uuid) in page.text

    def test_names_no_institutions(self, client, shared, pathway):
        type(pathway).objects.update(org_name="Lakeside Institute")
        for name in ("public_record", "api-records-detail"):
            text = client.get(url(name, shared), {"is_public": "true"}).content.decode()
            assert ("Statistics" in text, "Lakeside" in text, pathway.name in text) == (True, False, False)

    def test_uuids_with_and_without_hyphens(self, client, shared):
        folder = f"{reverse('credit_pathways:index')}programs/shared"
        for written in (str(shared.uuid), shared.uuid.hex, shared.uuid.hex.upper()):
            assert client.get(f"{folder}/{written}/").status_code == 200
        for other in ("x" * 32, shared.uuid.hex[:-1], f"{shared.uuid}0"):
            assert client.get(f"{folder}/{other}/").status_code == 404

    def test_an_unknown_host_name_is_not_found(self, client, shared, settings):
        del settings.SITE_ID
        settings.ALLOWED_HOSTS = ["*"]
        assert client.get(url("public_record", shared), headers={"host": "nowhere.example"}).status_code == 404
        assert client.get(url("public_record", shared), headers={"host": "example.com"}).status_code == 200


def test_no_animations():
    """Users who prefer reduced motion get it, because everyone does (WCAG 2.3.3)."""
    folder = Path(credit_pathways.__file__).parent / "static/credit_pathways"
    styles = [path.read_text() for path in folder.rglob("*.css")]
    assert len(styles) == 2
    assert not any(re.search("transition|animation|scroll-behavior", style) for style in styles)
