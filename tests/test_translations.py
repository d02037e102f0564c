"""No text on a page, in a mail or in the admin stays in English; the catalogs that are shipped are whole."""

import re
from datetime import UTC, datetime
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages.checkers import checkers
from babel.messages.pofile import read_po
from django.contrib.sites.models import Site
from django.shortcuts import render
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import translation

import credit_pathways
from credit_pathways.exports import COLUMNS
from credit_pathways.models import UserCreditPathway
from credit_pathways.records import CourseResult
from tests import factories
from tests.support import pseudo_locale
from tests.support.html import Page
from tests.support.record_source import FixedRecordSource

pytestmark = pytest.mark.django_db(transaction=True)

LOCALE = Path(credit_pathways.__file__).parent / "locale"
#: The number of plural forms of each, as in Django's own catalogs, with which these are merged.
LANGUAGES = {"ar": 6, "es_419": 3, "fr": 2, "zh_Hans": 1}

#: What stays as it is in every language: links, their uuids, abbreviations, formats of files, the columns of an export.
UNTRANSLATED = re.compile(
    rf"https?://\S+|[0-9a-f]{{8}}-[0-9a-f-]{{27}}|\b(UTC|ID|UUID|csv|xlsx)\b|{', '.join(COLUMNS)}"
)
#: Attributes that people read or hear; the only image is Django's, whose alt it does not translate.
READ = ("data-label", "title", "placeholder", "aria-label", "data-cp-waiting", "data-cp-copied", "data-cp-failed")


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
    """A learner, staff, and all else, named without a letter of English."""
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

    def browser(self, user=None):
        browser = Client()
        if user:
            browser.force_login(user)
        return browser


def url(name, *args):
    return reverse(f"credit_pathways:{name}", args=args)


def english(response):
    """Return the texts of a page that have a plain letter: nobody translated them."""
    page = Page(response.content.decode())
    silent = {*page.all_of("script"), *page.all_of("style")}
    texts = [text for text, around in page.texts if not silent & set(around)]
    attributes = [value for _tag, attrs in page.elements for name in READ if (value := attrs.get(name))]
    attributes += [
        attrs.get("value") or "" for _tag, attrs in page.elements if attrs.get("type") in {"submit", "button"}
    ]
    assert len(" ".join(texts)) > 20
    return [text.strip() for text in [*texts, *attributes] if re.search("[A-Za-z]", UNTRANSLATED.sub("", text))]


def test_a_text_that_nobody_translated_is_found(world):
    page = world.browser(world.learner).get(url("index"))
    page.content = page.content.replace(b"<h1>", b"<h1>Programs of ")
    assert [text[:11] for text in english(page)] == ["Programs of"]


class TestPages:
    def test_index(self, world):
        assert english(world.browser(world.learner).get(url("index"))) == []
        type(world.shared).objects.all().delete()
        type(world.program).objects.all().update(site=factories.SiteFactory())
        assert english(world.browser(world.learner).get(url("index"))) == []

    @pytest.mark.parametrize("courses", [True, False])
    @pytest.mark.parametrize("completed", [True, False])
    def test_records(self, world, courses, completed, monkeypatch):
        monkeypatch.setattr(FixedRecordSource, "completed", completed)
        if not courses:
            monkeypatch.setattr(FixedRecordSource, "courses", ())
        browser = world.browser(world.learner)
        assert english(browser.get(url("program_record", world.program.uuid))) == []
        assert english(browser.get(url("public_record", world.shared.uuid))) == []

    def test_a_form_from_before_the_login(self, world):
        assert english(render(RequestFactory().get("/"), "credit_pathways/nothing_done.html")) == []

    def test_a_learner_without_name_and_address(self, world):
        type(world.learner).objects.update(first_name="", last_name="", email="")
        browser = world.browser(world.learner)
        assert english(browser.get(url("program_record", world.program.uuid))) == []
        assert english(browser.get(url("public_record", world.shared.uuid))) == []

    def test_neither_shared_nor_requestable(self, world):
        type(world.shared).objects.all().delete()
        page = url("program_record", world.program.uuid)
        assert english(world.browser(world.learner).get(page)) == []
        type(world.pathway).objects.all().delete()
        assert english(world.browser(world.learner).get(page)) == []

    def test_a_dead_link(self, world):
        type(world.shared).objects.all().delete()
        assert english(world.browser().get(url("public_record", world.shared.uuid))) == []

    def test_the_learners_requests(self, world):
        browser = world.browser(world.learner)
        assert english(browser.get(url("credit_requests"))) == []
        for status in UserCreditPathway.Status:
            world.make_request(status=status)
        for _number in range(50):
            world.make_request(program=None)
        for page in (1, 2):
            assert english(browser.get(url("credit_requests"), {"page": page})) == []


class TestMessages:
    def act(self, world, name="request_credit", **fields):
        browser = world.browser(world.learner)
        page = browser.post(url(name, world.program.uuid), fields, follow=True)
        assert Page(page.content.decode()).messages
        return english(page)

    def test_sent_and_unknown(self, world):
        assert self.act(world, pathway=[world.pathway.pk, 10**6]) == []
        assert self.act(world, pathway=[10**6, 10**6 + 1]) == []

    def test_failed(self, world, settings):
        settings.EMAIL_PORT = 1
        assert self.act(world, pathway=[world.pathway.pk]) == []

    def test_queued(self, world, settings, monkeypatch):
        settings.CREDIT_PATHWAYS_DELIVERY = "celery"
        assert self.act(world, pathway=[world.pathway.pk]) == []

    def test_nothing_chosen_and_too_many(self, world, settings):
        assert self.act(world) == []
        for rate in ("1/minute", "1/day"):
            settings.CREDIT_PATHWAYS_REQUEST_RATE = rate
            assert self.act(world, pathway=[world.pathway.pk, world.make_pathway().pk]) == []

    @pytest.mark.parametrize("name", ["share_link", "revoke"])
    def test_sharing(self, world, name):
        assert self.act(world, name) == []

    def test_logged_out(self, world):
        browser = world.browser()
        browser.post(url("revoke", world.program.uuid))
        browser.force_login(world.learner)
        page = browser.get(url("program_record", world.program.uuid))
        assert len(Page(page.content.decode()).messages) == 1
        assert english(page) == []


class TestAdmin:
    MODELS = ("usercreditpathway", "pathway", "program", "programcertrecord")

    @pytest.fixture
    def staff(self, world):
        world.requests = [world.make_request(status=status) for status in UserCreditPathway.Status]
        world.requests.append(world.make_request(program=None))
        world.make_pathway(status="retired", email="", pathway_type="industry")
        return world.browser(world.staff)

    def get(self, staff, name, *args, **query):
        answer = staff.get(reverse(f"admin:credit_pathways_{name}", args=args), query)
        assert answer.status_code == 200
        return english(answer)

    def test_the_apps_name(self, staff):
        assert english(staff.get(reverse("admin:index"))) == []

    @pytest.mark.parametrize("model", MODELS)
    def test_lists(self, staff, model):
        assert self.get(staff, f"{model}_changelist") == []

    @pytest.mark.parametrize("model", MODELS)
    def test_rows(self, staff, world, model):
        rows = {"pathway": world.pathway, "program": world.program, "programcertrecord": world.shared}
        assert self.get(staff, f"{model}_change", rows.get(model, world.requests[0]).pk) == []

    def test_a_pathway_that_lacks_something(self, staff, world):
        for pathway in type(world.pathway).objects.all():
            assert self.get(staff, "pathway_change", pathway.pk) == []

    def test_the_list_that_ends(self, staff, monkeypatch):
        monkeypatch.setattr("credit_pathways.admin.learner_rows.LISTED", 2)
        assert self.get(staff, "usercreditpathway_changelist") == []

    def test_deliver_again(self, staff, world):
        chosen = {"action": "deliver_again", "_selected_action": [row.pk for row in world.requests]}
        page = staff.post(reverse("admin:credit_pathways_usercreditpathway_changelist"), chosen, follow=True)
        assert english(page) == []
        again = {"id": [*(row.pk for row in world.requests), 10**6]}
        page = staff.post(reverse("admin:credit_pathways_usercreditpathway_deliver_again"), again, follow=True)
        assert len(Page(page.content.decode()).all_of("li", css_class="warning")) > 1
        assert english(page) == []

    def test_export(self, staff, monkeypatch):
        assert self.get(staff, "usercreditpathway_export") == []

    def test_the_report(self, staff):
        assert self.get(staff, "usercreditpathway_report") == []
        assert self.get(staff, "usercreditpathway_report", since="2001-01-01", until="2001-01-02") == []
        assert self.get(staff, "usercreditpathway_report", since="x") == []


@pytest.mark.parametrize("completed", [True, False])
def test_the_mail(world, relay, completed, monkeypatch):
    monkeypatch.setattr(FixedRecordSource, "completed", completed)
    world.browser(world.learner).post(url("request_credit", world.program.uuid), {"pathway": world.pathway.pk})
    [mail] = relay.mails
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    shown = [mail["Subject"], text, *(text for text, _around in Page(html).texts)]
    assert [text for text in shown if re.search("[A-Za-z]", UNTRANSLATED.sub("", text))] == []


@pytest.mark.parametrize("language", LANGUAGES)
class TestCatalogs:
    @pytest.fixture
    def source(self, language):
        with (LOCALE / language / "LC_MESSAGES/django.po").open("rb") as file:
            return read_po(file)

    def test_every_text_is_translated_with_the_same_placeholders_and_tags(self, source, language):
        assert source.num_plurals == LANGUAGES[language]
        messages = [message for message in source if message.id]
        assert len(messages) > 150
        for message in messages:
            answers = message.string if isinstance(message.string, tuple) else (message.string,)
            assert all(answers), message.id
            assert not message.fuzzy, message.id
            for check in checkers:
                check(source, message)
            tags = {"".join(re.findall("</?[a-z]+>", text)) for text in (*answers, _singular(message))}
            assert len(tags) == 1, message.id

    def test_what_is_shipped_is_what_was_translated(self, source, language):
        with (LOCALE / language / "LC_MESSAGES/django.mo").open("rb") as file:
            compiled = GNUTranslations(file)
        for message in source:
            text = _singular(message)
            key = f"{message.context}\x04{text}" if message.context else text
            if isinstance(message.string, tuple):
                found = tuple(compiled._catalog[key, n] for n in range(LANGUAGES[language]))
                assert found == message.string
            elif text:
                assert compiled._catalog[key] == message.string


def _singular(message):
    return message.id[0] if isinstance(message.id, tuple) else message.id


@pytest.mark.parametrize(
    ("language", "page", "seconds"),
    [
        ("es-419", "Solicitar créditos", "2 segundos"),
        ("fr", "Demander", "2 secondes"),
        ("ar", "طلب", "ثانية"),
        ("zh-hans", "学分", "2"),
    ],
)
def test_a_host_finds_the_languages(language, page, seconds, settings, client, program, pathway, monkeypatch):
    settings.LANGUAGE_CODE = language
    settings.LANGUAGES = [(language, language)]
    monkeypatch.setattr("credit_pathways.views.seconds_to_wait", lambda _request: 2)
    with translation.override(language):
        answer = client.post(url("request_credit", program.uuid), {"pathway": pathway.pk}, follow=True)
    text = Page(answer.content.decode()).text
    assert page in text
    assert seconds in text
