"""The start of links is the same in every process, thread and language."""

import uuid

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.contrib.sites.models import Site
from django.urls import clear_script_prefix, include, path, reverse, set_script_prefix

from credit_pathways import api, links
from credit_pathways.models import ProgramCertRecord
from tests import urls
from tests.support.threads import run_together

SHARED = ProgramCertRecord(uuid=uuid.UUID("4a1d6ef2-7a36-4b9c-9c39-0f9a1be0e0b1"))
SITE = Site(domain="credentials.example.com", name="Example")


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


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("forced", "root"), [(None, "https://example.com"), ("/credentials", "https://example.com/credentials")]
)
def test_links_are_the_same_in_every_process_and_thread(
    client, learner, program, pathway, relay, settings, forced, root
):
    """Only a web process knows the path at which its server mounts it, and only the thread that handles a request."""
    settings.FORCE_SCRIPT_NAME = forced
    body = {"username": "halima", "pathway_id": pathway.pk}
    below = {"content_type": "application/json", "SCRIPT_NAME": "/mounted"}
    share, send = (f"/records/programs/{program.uuid.hex}/{name}" for name in ("share", "send"))
    url = client.post(share, body, **below).json()["url"]
    client.post(send, body, **below)
    run_together(lambda: api.request_credit(user=learner, program=program, pathways=[pathway]))
    links_of_emails = {_link(email) for email in relay.messages}
    assert {url} == links_of_emails == {f"{root}/records/programs/shared/{ProgramCertRecord.objects.get().uuid.hex}/"}
    assert len(relay.messages) == 2


def _link(email):
    lines = email.get_body(("plain",)).get_content().splitlines()
    return next(line for line in lines if "/shared/" in line)


def test_reversing_a_link_keeps_the_prefix_of_the_request():
    set_script_prefix("/mounted/")
    try:
        assert links.public_record_url(SITE, SHARED).startswith("https://credentials.example.com/records/")
        assert reverse("credit_pathways:index") == "/mounted/records/"
    finally:
        clear_script_prefix()


def other_urlconf(get_response):
    """Middleware of hosts that choose the URLs by subdomain or tenant."""

    def middleware(request):
        request.urlconf = (path("learner/records/", include("credit_pathways.urls")),)
        return get_response(request)

    return middleware


@pytest.mark.django_db(transaction=True)
def test_links_do_not_depend_on_the_urlconf_of_the_request(client, learner, program, pathway, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_link_roots.other_urlconf"]
    url = client.post(
        f"/learner/records/programs/{program.uuid}/share", {"username": "halima"}, content_type="application/json"
    ).json()["url"]
    assert url == links.public_record_url(program.site, ProgramCertRecord.objects.get())
    assert url.startswith("https://example.com/records/")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("email_language", "prefix"), [("zh-hans", "zh-cn"), ("zh_CN", "zh-cn"), ("es-mx", "es-419"), ("xx", "en-us")]
)
def test_localized_urls_are_the_same_everywhere_and_exist(
    client, program, pathway, relay, settings, email_language, prefix
):
    settings.ROOT_URLCONF = tuple(i18n_patterns(*urls.urlpatterns))
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]
    settings.LANGUAGES = [(code, code) for code in ("en-us", "fr", "zh-cn", "es-419")]
    settings.CREDIT_PATHWAYS_EMAIL_LANGUAGE = email_language
    body = {"username": "halima", "pathway_id": pathway.pk}
    share, send, page = (f"/fr/records/programs/{program.uuid.hex}/{name}" for name in ("share", "send", ""))
    url = client.post(share, body, content_type="application/json").json()["url"]
    client.post(send, body, content_type="application/json")
    assert url == _link(relay.messages[0])
    assert url in client.get(page).content.decode()
    assert url.startswith(f"https://example.com/{prefix}/records/programs/shared/")
    assert client.get(url.removeprefix("https://example.com")).status_code == 200
