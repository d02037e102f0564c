"""The message catalogs in ``credit_pathways/locale`` are complete, compiled, and found by a host."""

import re
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages.checkers import checkers
from babel.messages.pofile import read_po
from django.urls import reverse
from django.utils import translation

import credit_pathways
from credit_pathways import api
from tests.support.html import Page
from tests.support.record_source import FixedRecordSource

LOCALE = Path(credit_pathways.__file__).parent / "locale"
#: How many plural forms each language has in Django's own catalogs, which these are merged with.
PLURAL_FORMS = {"ar": 6, "es": 3, "fr": 2, "zh": 1}


@pytest.mark.parametrize("language", PLURAL_FORMS)
class TestCatalogs:
    @pytest.fixture
    def catalog(self, language):
        with (LOCALE / language / "LC_MESSAGES/django.po").open("rb") as file:
            return read_po(file)

    def test_every_message_is_translated_with_the_same_placeholders_and_tags(self, catalog, language):
        assert catalog.num_plurals == PLURAL_FORMS[language]
        messages = [message for message in catalog if message.id]
        assert len(messages) > 150
        for message in messages:
            translations = message.string if isinstance(message.string, tuple) else (message.string,)
            assert all(translations), message.id
            assert not message.fuzzy, message.id
            for check in checkers:
                check(catalog, message)
            tags = {"".join(re.findall("</?[a-z]+>", text)) for text in (*translations, _singular(message))}
            assert len(tags) == 1, message.id

    def test_compiled_catalog_is_up_to_date(self, catalog, language):
        with (LOCALE / language / "LC_MESSAGES/django.mo").open("rb") as file:
            compiled = GNUTranslations(file)
        for message in catalog:
            text = _singular(message)
            key = f"{message.context}\x04{text}" if message.context else text
            if isinstance(message.string, tuple):
                plurals = tuple(compiled._catalog[key, n] for n in range(PLURAL_FORMS[language]))
                assert plurals == message.string
            elif text:
                assert compiled._catalog[key] == message.string


def _singular(message):
    return message.id[0] if isinstance(message.id, tuple) else message.id


@pytest.mark.parametrize(
    ("language", "word", "seconds"),
    [
        ("es-419", "Solicitar créditos", "2 segundos"),
        ("fr", "Demander", "2 secondes"),
        ("ar", "طلب", "ثانية"),
        ("zh-hans", "学分", "2"),
    ],
)
def test_pages_are_translated(language, word, seconds, settings, client, program, pathway, monkeypatch):
    settings.LANGUAGE_CODE = language
    settings.LANGUAGES = [(language, language)]
    monkeypatch.setattr("credit_pathways.views.RequestRateThrottle.seconds_to_wait", lambda _throttle, _request: 2)
    with translation.override(language):
        url = reverse("credit_pathways:request_credit", args=[program.uuid])
        response = client.post(url, {"pathway": pathway.pk}, follow=True)
    text = Page(response.content.decode()).text
    assert word in text
    assert seconds in text


LANGUAGE_CODES = [
    *(("es", code) for code in ("es", "es-419", "es-mx", "es-ar")),
    *(("zh", code) for code in ("zh-cn", "zh-hans", "zh", "zh-sg")),
    ("fr", "fr-ca"),
    ("ar", "ar-dz"),
]
BUTTONS = {"es": "Solicitar créditos", "fr": "Demander", "ar": "طلب", "zh": "学分"}


@pytest.mark.parametrize(("catalog", "code"), LANGUAGE_CODES)
def test_the_languages_of_browsers_resolve_to_the_catalogs(catalog, code, settings, client, program, pathway):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]
    settings.LANGUAGES = [("en", "English"), (code, code)]
    page = client.get(reverse("credit_pathways:program_record", args=[program.uuid]), headers={"accept-language": code})
    assert page["Content-Language"] == code
    assert BUTTONS[catalog] in Page(page.content.decode()).text


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("code", ["zh-cn", "zh_CN", "ZH", "es", "es-MX"])
def test_the_languages_of_emails_resolve_to_the_catalogs(code, settings, learner, program, pathway, relay, monkeypatch):
    settings.CREDIT_PATHWAYS_EMAIL_LANGUAGE, settings.CREDIT_PATHWAYS_LEARNER_EMAILS = code, "all"
    monkeypatch.setattr(FixedRecordSource, "learner_language", lambda _self, _user: code)
    api.request_credit(user=learner, program=program, pathways=[pathway])
    assert len(relay.messages) == 2
    for email in relay.messages:
        assert "redit" not in email["Subject"].replace("créditos", "")
        assert ("学分" if code.lower().startswith("zh") else "créditos") in email["Subject"]
