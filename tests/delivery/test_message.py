"""The email to the institution."""

from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from django.utils.translation import gettext_lazy

from credit_pathways import api
from credit_pathways.delivery.message import message_id
from credit_pathways.models import ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support.links import absolute_url
from tests.support.record_source import FixedRecordSource

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def send(learner, program, pathway, relay):
    """Return a function that requests credit and returns the email."""

    def request():
        api.request_credit(user=learner, program=program, pathways=[pathway])
        return relay.messages[-1]

    return request


def texts(mail):
    return [mail.get_body((kind,)).get_content() for kind in ("plain", "html")]


def test_headers(send, learner):
    mail = send()
    assert mail["To"] == "registrar@northfield.example"
    assert mail["From"] == "no-reply@example.com"
    assert mail["Reply-To"] == getattr(learner, "email", None)
    assert mail["Subject"] == f"Credit request {UserCreditPathway.objects.get().pk} from Halima Khan: Statistics"
    assert mail.get_content_type() == "multipart/alternative"


def test_both_parts_contain_everything(send, learner):
    shared = ProgramCertRecord.objects
    for text in texts(send()):
        url = absolute_url("public_record", shared.get().uuid)
        for part in ("Halima Khan", "Master of Science", "Statistics", url, f"{url}csv", "example.com"):
            assert part in text
        assert f"Request number: {UserCreditPathway.objects.get().pk}" in text
        assert ("reply to this email" in text) == hasattr(learner, "email")


def test_the_request_number_is_not_formatted(learner, program, pathway, relay, settings):
    settings.USE_THOUSAND_SEPARATOR = True
    row = factories.UserCreditPathwayFactory(pk=1234567, user=learner, program=program, pathway=pathway)
    factories.ProgramCertRecordFactory(user=learner, program=program)
    api.deliver(row)
    [mail] = relay.messages
    assert all("1234567" in text for text in [mail["Subject"], *texts(mail)])


@pytest.mark.parametrize(("completed", "words"), [(True, "Status: completed"), (False, "Status: partially completed")])
def test_completion(completed, words, send, monkeypatch):
    monkeypatch.setattr(FixedRecordSource, "completed", completed)
    assert all(words in text for text in texts(send()))


def test_settings(send, settings):
    settings.CREDIT_PATHWAYS_FROM_ADDRESS = "The Registry <registry@example.org>"
    settings.CREDIT_PATHWAYS_PLATFORM_NAME = "Example Online"
    mail = send()
    assert mail["From"] == "The Registry <registry@example.org>"
    assert all("Example Online" in text for text in texts(mail))


def test_a_learner_without_a_full_name_is_named_by_username(send, learner):
    vars(learner).update(factories.name_fields(""))
    assert send()["Subject"].endswith(" from halima: Statistics")


@pytest.mark.parametrize("address", ["", "nobody", "a@b.example\r\nBcc: x@y.example", "a@b.example, c@d.example"])
def test_an_invalid_address_is_not_used_for_replies(address, send, learner):
    learner.email = address
    mail = send()
    assert mail["Reply-To"] is None
    assert mail["Bcc"] is None
    assert not any("reply to this email" in text for text in texts(mail))


def test_the_language_is_the_institutions(send, settings, learner):
    settings.CREDIT_PATHWAYS_EMAIL_LANGUAGE = "ar"
    with translation.override("es"):
        html = send().get_body(("html",)).get_content()
    assert '<div lang="ar" dir="rtl">' in html


def test_a_translated_platform_name_is_in_the_institutions_language(send, settings):
    settings.CREDIT_PATHWAYS_PLATFORM_NAME = gettext_lazy("Not known")
    settings.CREDIT_PATHWAYS_EMAIL_LANGUAGE = "fr"
    with translation.override("ar"):
        assert all("Inconnu" in text for text in texts(send()))


def test_the_message_id_does_not_depend_on_the_time_zone_of_the_database(request_row, program):
    first = message_id("credit-request", request_row, program.site)
    request_row.created = request_row.created.astimezone(ZoneInfo("America/New_York"))
    assert message_id("credit-request", request_row, program.site) == first


def test_each_request_keeps_its_message_id(learner, program, pathway, relay):
    request = factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway)
    factories.ProgramCertRecordFactory(user=learner, program=program)
    for _attempt in range(2):
        type(request).objects.update(status="failed")
        api.deliver(type(request).objects.get(pk=request.pk))
    api.request_credit(user=learner, program=program, pathways=[pathway])
    first, again, another = [mail["Message-ID"] for mail in relay.messages]
    assert first == again != another
    assert first.startswith(f"<credit-request.{request.pk}.")
    assert first.endswith(f".{request.created:%Y%m%d%H%M%S%f}@example.com>")
