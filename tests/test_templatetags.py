"""The URLs of the pages' stylesheet and script."""

import pytest
from django.template import Context, Template

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
    assert client.get("/records/").status_code == 200
