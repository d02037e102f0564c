"""Links come from the program's site and the settings, whatever the request's Host header says."""

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


def test_at_the_site():
    url = f"https://credentials.example.com/records/programs/shared/{SHARED.uuid}/"
    assert links.public_record_url(SITE, SHARED) == url
    assert links.public_record_csv_url(SITE, SHARED) == f"{url}csv"


def test_with_the_scheme_of_the_setting(settings):
    settings.CREDIT_PATHWAYS_LINK_SCHEME = "http"
    assert links.public_record_url(SITE, SHARED).startswith("http://credentials.example.com/")


def test_at_another_front_end_but_for_the_csv(settings):
    settings.CREDIT_PATHWAYS_PUBLIC_RECORD_URL = "https://record.example.com/shared/{uuid}"
    assert links.public_record_url(SITE, SHARED) == f"https://record.example.com/shared/{SHARED.uuid}"
    assert links.public_record_csv_url(SITE, SHARED).startswith("https://credentials.example.com/records/")


@pytest.mark.django_db(transaction=True)
def test_a_forged_host_header_is_in_no_link(client, program, pathway, relay, settings):
    settings.ALLOWED_HOSTS = ["*"]
    post = {"content_type": "application/json", "headers": {"host": "evil.example", "x-forwarded-host": "evil.example"}}
    body = {"username": "halima", "pathway_id": pathway.pk}
    shared = client.post(reverse("credit_pathways:share", args=[program.uuid]), body, **post)
    client.post(reverse("credit_pathways:send", args=[program.uuid]), body, **post)
    [mail] = relay.mails
    assert shared.json()["url"].startswith("https://example.com/records/programs/shared/")
    assert shared.json()["url"] in mail.get_body(("plain",)).get_content()
    assert "evil.example" not in mail.as_string()


@pytest.mark.django_db(transaction=True)
def test_where_urls_have_a_language_links_have_the_institutions(learner, program, pathway, relay, settings):
    settings.ROOT_URLCONF = tuple(i18n_patterns(*urls.urlpatterns))
    settings.CREDIT_PATHWAYS_EMAIL_LANGUAGE = "fr"
    with translation.override("es"):
        api.request_credit(user=learner, program=program, pathways=[pathway])
    assert "https://example.com/fr/records/programs/shared/" in relay.mails[0].get_body(("plain",)).get_content()


@pytest.mark.django_db(transaction=True)
def test_links_are_the_programs_sites(learner, relay):
    program = factories.ProgramFactory(site=factories.SiteFactory(domain="other.example"))
    pathway = factories.PathwayFactory(site=program.site, programs=[program])
    api.request_credit(user=learner, program=program, pathways=[pathway])
    [mail] = relay.mails
    assert mail["From"] == "no-reply@other.example"
    assert "https://other.example/records/programs/shared/" in mail.get_body(("plain",)).get_content()
