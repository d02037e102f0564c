"""The URLs of the pages' stylesheet and script."""

import pytest
from django.core.management import call_command
from django.template import Context, Template
from django.urls import reverse

MANIFEST = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}

STYLE = "credit_pathways/credit_pathways.css"


def asset(path=STYLE):
    return Template("{% load credit_pathways %}{% asset path %}").render(Context({"path": path}))


def test_uses_the_storage(settings):
    settings.STATIC_URL = "/assets/"
    assert asset() == f"/assets/{STYLE}"


def test_without_collectstatic_the_url_is_plain(settings, tmp_path):
    settings.STORAGES, settings.STATIC_ROOT, settings.STATIC_URL = MANIFEST, tmp_path, "/assets/"
    assert asset() == f"/assets/{STYLE}"


@pytest.mark.django_db
def test_pages_work_without_collectstatic(settings, tmp_path, client):
    settings.STORAGES, settings.STATIC_ROOT = MANIFEST, tmp_path
    assert client.get(reverse("credit_pathways:index")).status_code == 200


@pytest.fixture
def without_ours(settings, tmp_path):
    """A manifest from before the app was installed."""
    settings.STORAGES, settings.STATIC_ROOT = MANIFEST, tmp_path
    call_command("collectstatic", "--no-input", "--ignore", "credit_pathways", verbosity=0)


def test_admin_pages_work_without_collectstatic(without_ours, admin_client, request_row):
    requests = reverse("admin:credit_pathways_usercreditpathway_changelist")
    pages = ["", "export/", "report/", f"deliver-again/?id={request_row.pk}", f"{request_row.pk}/change/"]
    pathway = reverse("admin:credit_pathways_pathway_change", args=[request_row.pathway_id])
    for page in (*(f"{requests}{page}" for page in pages), pathway):
        response = admin_client.get(page)
        assert response.status_code == 200, page
    assert "/credit_pathways/admin/admin.css" in admin_client.get(requests).content.decode()
