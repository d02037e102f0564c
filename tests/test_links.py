"""Links are built from the program's site and the settings, never from the request's Host header."""

import uuid

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.contrib.sites.models import Site
from django.urls import reverse
from django.utils import translation

from credit_pathways import api, links
from credit_pathways.models import ProgramCertRecord
from tests import factories, urls
from tests.support.links import absolute_url

SHARED = ProgramCertRecord(uuid=uuid.UUID("4a1d6ef2-7a36-4b9c-9c39-0f9a1be0e0b1"))
SITE = Site(domain="credentials.example.com", name="Example")


def test_links_use_the_sites_domain():
    url = f"https://credentials.example.com{reverse('credit_pathways:index')}programs/shared/{SHARED.uuid.hex}/"
    assert links.public_record_url(SITE, SHARED) == url
    assert links.public_record_csv_url(SITE, SHARED) == f"{url}csv"


def test_public_record_on_another_front_end(settings):
    settings.CREDIT_PATHWAYS_PUBLIC_RECORD_URL = "https://record.example.com/shared/{uuid}"
    assert links.public_record_url(SITE, SHARED) == f"https://record.example.com/shared/{SHARED.uuid.hex}"
    assert links.public_record_csv_url(SITE, SHARED) == absolute_url(
        "public_record_csv", SHARED.uuid, domain=SITE.domain
    )


@pytest.mark.parametrize(
    ("domain", "host"),
    [("[", "["), ("example.com", "example.com"), ("localhost:8000", "localhost"), ("[::1]:8000", "::1"), ("", "")],
)
def test_host_name(domain, host):
    assert links.host_name(domain) == host


@pytest.mark.django_db(transaction=True)
def test_forged_host_header_is_ignored(client, program, pathway, relay, settings):
    settings.ALLOWED_HOSTS = ["*"]
    post = {"content_type": "application/json", "headers": {"host": "evil.example", "x-forwarded-host": "evil.example"}}
    body = {"username": "halima", "pathway_id": pathway.pk}
    shared = client.post(reverse("credit_pathways:share", args=[program.uuid]), body, **post)
    client.post(reverse("credit_pathways:send", args=[program.uuid]), body, **post)
    [email] = relay.messages
    assert shared.json()["url"] == absolute_url("public_record", ProgramCertRecord.objects.get().uuid)
    assert shared.json()["url"] in email.get_body(("plain",)).get_content()
    assert "evil.example" not in email.as_string()


@pytest.mark.django_db(transaction=True)
def test_a_domain_that_another_process_has_changed(client, program, pathway, relay):
    """Django caches sites for the life of a process."""
    assert Site.objects.get_current().domain == "example.com"
    Site.objects.update(domain="moved.example", name="Moved")
    body = {"username": "halima", "pathway_id": pathway.pk}
    page, share, send = (
        reverse(f"credit_pathways:{name}", args=[program.uuid]) for name in ("program_record", "share", "send")
    )
    url = client.post(share, body, content_type="application/json").json()["url"]
    client.post(send, body, content_type="application/json")
    [email] = relay.messages
    pages = [client.get(page), client.get(url.removeprefix("https://moved.example"))]
    for text in (url, str(email["From"]), email.as_string(), *(page.content.decode() for page in pages)):
        assert ("moved.example" in text, "example.com" in text) == (True, False)


@pytest.mark.django_db(transaction=True)
def test_localized_urls_use_the_institutions_language(learner, program, pathway, relay, settings):
    settings.ROOT_URLCONF = tuple(i18n_patterns(*urls.urlpatterns))
    settings.CREDIT_PATHWAYS_EMAIL_LANGUAGE = "fr"
    with translation.override("es"):
        api.request_credit(user=learner, program=program, pathways=[pathway])
    with translation.override("fr"):
        url = absolute_url("public_record", ProgramCertRecord.objects.get().uuid)
    assert "/fr/records/programs/shared/" in url
    assert url in relay.messages[0].get_body(("plain",)).get_content()


@pytest.mark.django_db(transaction=True)
def test_emails_use_the_programs_site(learner, relay):
    program = factories.ProgramFactory(site=factories.SiteFactory(domain="other.example"))
    pathway = factories.PathwayFactory(site=program.site, programs=[program])
    api.request_credit(user=learner, program=program, pathways=[pathway])
    [email] = relay.messages
    assert email["From"] == "no-reply@other.example"
    url = absolute_url("public_record", ProgramCertRecord.objects.get().uuid, domain="other.example")
    assert url in email.get_body(("plain",)).get_content()


class TestRecordsOnAnotherFrontEnd:
    @pytest.fixture(autouse=True, params=["https://record.example.com", "https://record.example.com/"])
    def _records_url(self, settings, request):
        settings.CREDIT_PATHWAYS_RECORDS_URL = request.param

    def test_pages_redirect(self, client, program):
        index = client.get(reverse("credit_pathways:index"))
        page = client.get(reverse("credit_pathways:program_record", args=[program.uuid]))
        assert (index.status_code, index["Location"]) == (302, "https://record.example.com/")
        assert (page.status_code, page["Location"]) == (302, f"https://record.example.com/{program.uuid.hex}")

    def test_other_pages_stay(self, client, request_row):
        shared = ProgramCertRecord.objects.get()
        for name, args in (
            ("credit_requests", []),
            ("credit_request", [request_row.pk]),
            ("public_record", [shared.uuid]),
            ("api-records-list", []),
        ):
            assert client.get(reverse(f"credit_pathways:{name}", args=args)).status_code == 200
