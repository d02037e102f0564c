"""No text on a page, in an email or in the admin stays in English."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sites.models import Site
from django.shortcuts import render
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone, translation

from credit_pathways.delivery import learner_emails, sending
from credit_pathways.delivery.learner_emails import Event
from credit_pathways.exports import COLUMNS
from credit_pathways.models import Pathway, Program, ProgramCertRecord, UserCreditPathway
from credit_pathways.records import CourseResult
from tests import factories
from tests.support import pseudo_locale
from tests.support.html import Page
from tests.support.record_source import FixedRecordSource

pytestmark = pytest.mark.django_db(transaction=True)

#: Text that is the same in every language: links, their uuids, abbreviations, file formats, the columns of an export.
UNTRANSLATABLE = re.compile(
    rf"https?://\S+|[0-9a-f]{{8}}-[0-9a-f-]{{27}}|\b(UTC|ID|UUID|csv|xlsx)\b|{', '.join(COLUMNS)}"
)
#: Attributes that people read or hear. Without alt: the only image is Django's, and its alt is not translated.
ATTRIBUTES = ("data-label", "title", "placeholder", "aria-label", "data-cp-waiting", "data-cp-copied", "data-cp-failed")


@pytest.fixture(scope="session")
def catalog(tmp_path_factory):
    return pseudo_locale.write(tmp_path_factory.mktemp("locale"))


@pytest.fixture
def _pseudo(settings, catalog):
    settings.LOCALE_PATHS = [catalog]
    settings.LANGUAGES = [(pseudo_locale.LANGUAGE, "⊘")]
    settings.LANGUAGE_CODE = pseudo_locale.LANGUAGE
    with translation.override(pseudo_locale.LANGUAGE):
        yield


@pytest.fixture
def world(_pseudo, db, monkeypatch, relay, settings):
    """A learner, a member of staff and their data, named without English letters."""
    settings.CREDIT_PATHWAYS_REQUEST_RATE = None
    monkeypatch.setattr(
        FixedRecordSource,
        "courses",
        [
            CourseResult("概率", "北", "课:1", 2, 0.914, "甲", datetime(2026, 6, 15, tzinfo=UTC)),
            CourseResult("推断", "北", "课:2", 0, None, "", None),
        ],
    )
    Site.objects.update(name="网", domain="1.0")
    Site.objects.clear_cache()
    return World()


#: A status code for each explanation of a bounce, and one without.
CODES = ["5.1.1", "5.1.2", "5.2.1", "5.2.2", "5.2.3", "5.4.7", "5.7.1", ""]


class World:
    def __init__(self):
        user = {"first_name": "哈", "last_name": "利", "email": "1@2.34"}
        self.learner = factories.UserFactory(username="学生", **user)
        self.staff = factories.UserFactory(username="老师", is_staff=True, is_superuser=True, **user)
        self.program = factories.ProgramFactory(title="统计", type="微", school="北")
        self.pathway = self.make_pathway()
        self.shared = factories.ProgramCertRecordFactory(user=self.learner, program=self.program)

    def make_pathway(self, **values):
        names = {"name": "硕士", "org_name": "北大", "email": "1@2.34"}
        return factories.PathwayFactory(**{**names, "programs": [self.program], **values})

    def make_request(self, **values):
        defaults = {"user": self.learner, "program": self.program, "pathway": self.pathway}
        return factories.UserCreditPathwayFactory(**{**defaults, **values})

    def browser(self, user):
        browser = Client()
        browser.force_login(user)
        return browser


def url(name, *args):
    return reverse(f"credit_pathways:{name}", args=args)


def is_untranslated(text):
    """Return whether the text has a letter without an accent; see ``pseudo_locale``."""
    return bool(re.search("[A-Za-z]", UNTRANSLATABLE.sub("", text)))


def untranslated(response):
    """Return the untranslated texts of a page."""
    page = Page(response.content.decode())
    invisible = {*page.find_all("script"), *page.find_all("style")}
    texts = [text for text, ancestors in page.texts if not invisible & set(ancestors)]
    attributes = [value for _tag, attrs in page.elements for name in ATTRIBUTES if (value := attrs.get(name))]
    attributes += [attrs.get("value") or "" for _, attrs in page.elements if attrs.get("type") in {"submit", "button"}]
    assert len(" ".join(texts)) > 20
    return [text.strip() for text in [*texts, *attributes] if is_untranslated(text)]


def test_untranslated_text_is_found(world):
    page = world.browser(world.learner).get(url("index"))
    page.content = page.content.replace(b"<h1>", b"<h1>Programs of ")
    assert [text[:11] for text in untranslated(page)] == ["Programs of"]


class TestPages:
    def test_index(self, world):
        assert untranslated(world.browser(world.learner).get(url("index"))) == []
        ProgramCertRecord.objects.all().delete()
        Program.objects.update(site=factories.SiteFactory())
        assert untranslated(world.browser(world.learner).get(url("index"))) == []

    @pytest.mark.parametrize("courses", [True, False])
    @pytest.mark.parametrize("completed", [True, False])
    def test_records(self, world, courses, completed, monkeypatch):
        monkeypatch.setattr(FixedRecordSource, "completed", completed)
        if not courses:
            monkeypatch.setattr(FixedRecordSource, "courses", ())
        browser = world.browser(world.learner)
        assert untranslated(browser.get(url("program_record", world.program.uuid))) == []
        assert untranslated(browser.get(url("public_record", world.shared.uuid))) == []

    def test_expired_form(self, world):
        assert untranslated(render(RequestFactory().get("/"), "credit_pathways/nothing_done.html")) == []

    def test_learner_without_name_and_email(self, world):
        type(world.learner).objects.update(first_name="", last_name="", email="")
        browser = world.browser(world.learner)
        assert untranslated(browser.get(url("program_record", world.program.uuid))) == []
        assert untranslated(browser.get(url("public_record", world.shared.uuid))) == []

    def test_neither_shared_nor_requestable(self, world):
        ProgramCertRecord.objects.all().delete()
        page = url("program_record", world.program.uuid)
        assert untranslated(world.browser(world.learner).get(page)) == []
        Pathway.objects.all().delete()
        assert untranslated(world.browser(world.learner).get(page)) == []

    def test_dead_link(self, world):
        ProgramCertRecord.objects.all().delete()
        assert untranslated(Client().get(url("public_record", world.shared.uuid))) == []

    def test_credit_requests(self, world):
        browser = world.browser(world.learner)
        assert untranslated(browser.get(url("credit_requests"))) == []
        for status in UserCreditPathway.Status:
            world.make_request(status=status)
        for _ in range(50):
            world.make_request(program=None)
        for code in CODES:
            world.make_request(status="sent", bounced_at=timezone.now(), bounce_reason=code)
        for page in (1, 2):
            assert untranslated(browser.get(url("credit_requests"), {"page": page})) == []

    def test_receipts(self, world):
        browser = world.browser(world.learner)
        type(world.pathway).objects.update(description="毕业", destination_url="https://1.0/")
        rows = [
            world.make_request(status=status, completed=True, sent_to="1@2.34") for status in UserCreditPathway.Status
        ]
        rows += [world.make_request(status="sent", bounced_at=timezone.now(), bounce_reason=code) for code in CODES]
        rows += [world.make_request(status="sent"), world.make_request(program=None, completed=False)]
        for created in (timezone.now(), timezone.now() + timedelta(days=1)):
            ProgramCertRecord.objects.update(created=created)
            for row in rows:
                assert untranslated(browser.get(url("credit_request", row.pk))) == []


class TestMessages:
    def post(self, world, name="request_credit", **fields):
        page = world.browser(world.learner).post(url(name, world.program.uuid), fields, follow=True)
        assert Page(page.content.decode()).messages
        return untranslated(page)

    def test_sent_and_unknown(self, world):
        assert self.post(world, pathway=[world.pathway.pk, 10**6]) == []
        assert self.post(world, pathway=[10**6, 10**6 + 1]) == []

    def test_failed(self, world, settings):
        settings.EMAIL_PORT = 1
        assert self.post(world, pathway=[world.pathway.pk]) == []

    def test_queued(self, world, settings):
        settings.CREDIT_PATHWAYS_DELIVERY = "celery"
        assert self.post(world, pathway=[world.pathway.pk]) == []

    def test_nothing_selected_and_too_many(self, world, settings):
        assert self.post(world) == []
        for rate in ("1/minute", "1/day"):
            settings.CREDIT_PATHWAYS_REQUEST_RATE = rate
            assert self.post(world, pathway=[world.pathway.pk, world.make_pathway().pk]) == []

    @pytest.mark.parametrize("name", ["share_link", "revoke"])
    def test_sharing(self, world, name):
        assert self.post(world, name) == []

    def test_logged_out(self, world):
        browser = Client()
        browser.post(url("revoke", world.program.uuid))
        browser.force_login(world.learner)
        page = browser.get(url("program_record", world.program.uuid))
        assert len(Page(page.content.decode()).messages) == 1
        assert untranslated(page) == []


class TestAdmin:
    MODELS = ("usercreditpathway", "pathway", "program", "programcertrecord")

    @pytest.fixture
    def superuser(self, world):
        world.requests = [world.make_request(status=status) for status in UserCreditPathway.Status]
        world.requests.append(world.make_request(program=None))
        world.make_pathway(status="retired", email="", pathway_type="industry")
        return world.browser(world.staff)

    def get(self, superuser, name, *args, **query):
        response = superuser.get(reverse(f"admin:credit_pathways_{name}", args=args), query)
        assert response.status_code == 200
        return untranslated(response)

    def test_index(self, superuser):
        assert untranslated(superuser.get(reverse("admin:index"))) == []

    @pytest.mark.parametrize("model", MODELS)
    def test_changelists(self, superuser, model):
        assert self.get(superuser, f"{model}_changelist") == []

    @pytest.mark.parametrize("model", MODELS)
    def test_change_pages(self, superuser, world, model):
        rows = {"pathway": world.pathway, "program": world.program, "programcertrecord": world.shared}
        assert self.get(superuser, f"{model}_change", rows.get(model, world.requests[0]).pk) == []

    def test_pathway_that_is_not_requestable(self, superuser, world):
        for pathway in Pathway.objects.all():
            assert self.get(superuser, "pathway_change", pathway.pk) == []

    @pytest.mark.parametrize("model", ["pathway", "program"])
    def test_manage_here(self, superuser, world, model):
        row = getattr(world, model)
        for synced in (True, False):
            type(row).objects.update(is_synced=synced)
            assert self.get(superuser, f"{model}_change", row.pk) == []
            page = superuser.post(reverse(f"admin:credit_pathways_{model}_manage_here", args=[row.pk]), follow=True)
            assert untranslated(page) == []

    def test_failure_reasons(self, superuser, world):
        reasons = {name: text for name, text in vars(sending).items() if name.isupper() and isinstance(text, str)}
        assert {"INACTIVE", "NOT_SENT", "RETIRED"} < reasons.keys()
        for reason in reasons.values():
            type(world.requests[0]).objects.update(failure_reason=f"{reason} (550)")
            assert self.get(superuser, "usercreditpathway_change", world.requests[0].pk) == []

    def test_list_longer_than_its_limit(self, superuser, monkeypatch):
        monkeypatch.setattr("credit_pathways.admin.learner_rows.MAX_LISTED_ROWS", 2)
        assert self.get(superuser, "usercreditpathway_changelist") == []

    def test_deliver_again(self, superuser, world):
        selected = {"action": "deliver_again", "_selected_action": [row.pk for row in world.requests]}
        page = superuser.post(reverse("admin:credit_pathways_usercreditpathway_changelist"), selected, follow=True)
        assert untranslated(page) == []
        confirmed = {"id": [*(row.pk for row in world.requests), 10**6]}
        page = superuser.post(reverse("admin:credit_pathways_usercreditpathway_deliver_again"), confirmed, follow=True)
        assert len(Page(page.content.decode()).find_all("li", css_class="warning")) > 1
        assert untranslated(page) == []

    def test_export(self, superuser):
        assert self.get(superuser, "usercreditpathway_export") == []

    def test_report(self, superuser):
        assert self.get(superuser, "usercreditpathway_report") == []
        assert self.get(superuser, "usercreditpathway_report", since="2001-01-01", until="2001-01-02") == []
        assert self.get(superuser, "usercreditpathway_report", since="x") == []


@pytest.mark.parametrize("completed", [True, False])
def test_email(world, relay, completed, monkeypatch):
    monkeypatch.setattr(FixedRecordSource, "completed", completed)
    world.browser(world.learner).post(url("request_credit", world.program.uuid), {"pathway": world.pathway.pk})
    [email] = relay.messages
    assert untranslated_in_email(email) == []


@pytest.mark.parametrize("event", Event)
def test_email_to_the_learner(world, relay, event, settings):
    settings.CREDIT_PATHWAYS_LEARNER_EMAILS = "all"
    type(world.learner).objects.update(email="halima@home.example")
    type(world.pathway).objects.update(description="毕业", destination_url="https://1.0/")
    row = world.make_request(
        status="failed" if event == Event.FAILED else "sent",
        bounced_at=timezone.now() if event == Event.BOUNCED else None,
    )
    for code in CODES:
        type(row).objects.update(bounce_reason=code)
        assert learner_emails.send(row.pk, event)
        assert untranslated_in_email(relay.messages[-1]) == []


def untranslated_in_email(email):
    text, html = (email.get_body((kind,)).get_content() for kind in ("plain", "html"))
    texts = [email["Subject"], text, *(text for text, _ancestors in Page(html).texts)]
    return [text for text in texts if is_untranslated(text)]
