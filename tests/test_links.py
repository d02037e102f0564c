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

SHARED = ProgramCertRecord(uuid=uuid.UUID("4a1d6ef2-7a36-4b9c-9c39-0f9a1be0e0b1"))
SITE = Site(domain="credentials.example.com", name="Example")


def test_links_use_the_sites_domain():
    url = f"https://credentials.example.com/records/programs/shared/{SHARED.uuid.hex}/"
    assert links.public_record_url(SITE, SHARED) == url
    assert links.public_record_csv_url(SITE, SHARED) == f"{url}csv"


@pytest.mark.parametrize(
    ("root", "start"),
    [
        ("http://{domain}", "http://credentials.example.com/records/"),
        ("https://{domain}/path/", "https://credentials.example.com/path/records/"),
        ("https://open.example/credentials", "https://open.example/credentials/records/"),
    ],
)
def test_links_start_with_the_configured_root(root, start, settings):
    settings.CREDIT_PATHWAYS_LINK_ROOT = root
    assert links.public_record_url(SITE, SHARED).startswith(start)


def test_public_record_on_another_front_end(settings):
    settings.CREDIT_PATHWAYS_PUBLIC_RECORD_URL = "https://record.example.com/shared/{uuid}"
    assert links.public_record_url(SITE, SHARED) == f"https://record.example.com/shared/{SHARED.uuid.hex}"
    assert links.public_record_csv_url(SITE, SHARED).startswith("https://credentials.example.com/records/")


@pytest.mark.parametrize(
    ("domain", "host"),
    [("example.com", "example.com"), ("localhost:8000", "localhost"), ("[::1]:8000", "::1"), ("", "")],
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
    assert shared.json()["url"].startswith("https://example.com/records/programs/shared/")
    assert shared.json()["url"] in email.get_body(("plain",)).get_content()
    assert "evil.example" not in email.as_string()


@pytest.mark.django_db(transaction=True)
def test_a_domain_that_another_process_has_changed(client, program, pathway, relay):
    """Django caches sites for the life of a process."""
    assert Site.objects.get_current().domain == "example.com"
    Site.objects.update(domain="moved.example", name="Moved")
    body = {"username": "halima", "pathway_id": pathway.pk}
    url = client.post(f"/records/programs/{program.uuid}/share", body, content_type="application/json").json()["url"]
    client.post(f"/records/programs/{program.uuid}/send", body, content_type="application/json")
    [email] = relay.messages
    pages = [client.get(f"/records/programs/{program.uuid}/"), client.get(url.removeprefix("https://moved.example"))]
    for text in (url, str(email["From"]), email.as_string(), *(page.content.decode() for page in pages)):
        assert ("moved.example" in text, "example.com" in text) == (True, False)


@pytest.mark.django_db(transaction=True)
def test_localized_urls_use_the_institutions_language(learner, program, pathway, relay, settings):
    settings.ROOT_URLCONF = tuple(i18n_patterns(*urls.urlpatterns))
    settings.CREDIT_PATHWAYS_EMAIL_LANGUAGE = "fr"
    with translation.override("es"):
        api.request_credit(user=learner, program=program, pathways=[pathway])
    assert "https://example.com/fr/records/programs/shared/" in relay.messages[0].get_body(("plain",)).get_content()


@pytest.mark.django_db(transaction=True)
def test_emails_use_the_programs_site(learner, relay):
    program = factories.ProgramFactory(site=factories.SiteFactory(domain="other.example"))
    pathway = factories.PathwayFactory(site=program.site, programs=[program])
    api.request_credit(user=learner, program=program, pathways=[pathway])
    [email] = relay.messages
    assert email["From"] == "no-reply@other.example"
    assert "https://other.example/records/programs/shared/" in email.get_body(("plain",)).get_content()
