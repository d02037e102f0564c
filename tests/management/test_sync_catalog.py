"""``manage.py sync_catalog``: its sources. ``tests.catalog`` tests each of them."""

import pytest
from django.contrib.sites.models import Site
from django.core.management import CommandError, call_command, get_commands

from credit_pathways import catalog
from credit_pathways.models import Program

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("options", [[], ["--url=http://a.example", "--from-credentials"]], ids=len)
def test_exactly_one_source_is_required(options):
    with pytest.raises(CommandError, match=r"required|not allowed"):
        call_command("sync_catalog", *options)


def test_a_module_of_the_package_is_a_source(tmp_path, monkeypatch):
    (tmp_path / "example.py").write_text(
        """
from credit_pathways.catalog import Catalog

OPTION = ("--example", {"metavar": "TITLE"})

def read_catalog(title, site):
    program = {"uuid": 32 * "1", "title": f"{title} of {site.domain}", "status": "active"}
    return Catalog(programs=iter([program]), pathways=[])
"""
    )
    monkeypatch.setattr(catalog, "__path__", [*catalog.__path__, str(tmp_path)])
    call_command("sync_catalog", "--example=Statistics")
    assert Program.objects.get().title == f"Statistics of {Site.objects.get_current().domain}"


class TestOtherHosts:
    """Hosts that are not Credentials install only the core app."""

    @pytest.fixture(autouse=True)
    def _other_host(self, settings):
        settings.INSTALLED_APPS = [
            app for app in settings.INSTALLED_APPS if app != "credit_pathways.contrib.credentials"
        ]
        get_commands.cache_clear()
        yield
        get_commands.cache_clear()

    def test_from_credentials_is_refused(self):
        with pytest.raises(CommandError, match="not Open edX Credentials"):
            call_command("sync_catalog", from_credentials=True)

    def test_the_import_command_does_not_exist(self):
        assert "sync_catalog" in get_commands()
        assert "import_credentials_requests" not in get_commands()
