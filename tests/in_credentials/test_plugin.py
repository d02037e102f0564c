"""The plug-in as Credentials loads it, and a learner's path through it."""

import csv
import io
from types import SimpleNamespace
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from credentials.apps.core.models import SiteConfiguration
from django.conf import settings as django_settings
from django.contrib.sites.models import Site
from django.core import mail
from django.test import Client
from django.urls import Resolver404, resolve, reverse
from edx_django_utils.plugins import add_plugins, get_plugin_apps, get_plugin_url_patterns

from credit_pathways.contrib.credentials import settings as plugin

from . import factories
from .conftest import local_copy, sync

HOST = "credentials.djangoapp"
SETTINGS_TYPES = ("base", "production", "devstack", "test")
PLUGIN_URLCONF = "credit_pathways.contrib.credentials.urls"


def test_the_installed_entry_points_name_both_apps():
    assert {
        "credit_pathways.apps.CreditPathwaysConfig",
        "credit_pathways.contrib.credentials.apps.CredentialsConfig",
    } <= set(get_plugin_apps(HOST))


def test_its_urls_are_at_records():
    [resolver] = [url for url in get_plugin_url_patterns(HOST) if url.namespace == "credit_pathways"]
    assert (resolver.app_name, str(resolver.pattern)) == ("credit_pathways", "^records/")


class TestSettings:
    """What the plug-in adds to Credentials' settings."""

    @pytest.mark.parametrize("settings_type", SETTINGS_TYPES)
    def test_repeated_calls_add_them_once(self, settings_type, monkeypatch):
        settings = SimpleNamespace(INSTALLED_APPS=["rest_framework"])
        monkeypatch.setattr("edx_django_utils.plugins.utils.import_module", _import(settings))
        add_plugins("host.settings", HOST, settings_type)
        first = dict(vars(settings))
        add_plugins("host.settings", HOST, settings_type)
        assert vars(settings) == first == {
            "INSTALLED_APPS": ["rest_framework"],
            "CREDIT_PATHWAYS_RECORD_SOURCE": plugin.RECORD_SOURCE,
        }  # fmt: skip

    def test_settings_of_the_operator_are_kept(self):
        settings = SimpleNamespace(CREDIT_PATHWAYS_RECORD_SOURCE="operator.Source")
        before = dict(vars(settings))
        plugin.plugin_settings(settings)
        assert vars(settings) == before


def _import(settings):
    """Return an ``import_module`` that finds the host's settings."""
    from importlib import import_module

    return lambda path: settings if path == "host.settings" else import_module(path)


class TestURLs:
    """Which app responds at ``records/``."""

    def view(self, path):
        return resolve(path).func.__module__.split(".")[0]

    @pytest.mark.urls("credentials.urls")
    def test_before_the_switch_credentials_paths_come_first(self):
        uuid = uuid4()
        assert self.view("/records/") == self.view(f"/records/programs/{uuid.hex}/") == "credentials"
        assert self.view(f"/records/programs/{uuid}/") == "credit_pathways"
        assert self.view("/records/api/v1/credit_requests/") == "credit_pathways"

    @pytest.mark.urls(PLUGIN_URLCONF)
    def test_after_the_switch_the_plugin_responds(self):
        uuid = uuid4()
        for path in ("", f"programs/{uuid.hex}/", f"programs/{uuid}/", f"programs/{uuid.hex}/send"):
            assert self.view(f"/records/{path}") == "credit_pathways"
        assert self.view("/admin/") == "django"

    @pytest.mark.urls(PLUGIN_URLCONF)
    def test_other_urls_are_unchanged(self):
        from credentials import urls

        from credit_pathways.contrib.credentials import urls as switched

        changed = {old.namespace for old, new in zip(urls.urlpatterns, switched.urlpatterns, strict=True) if old != new}
        assert changed == {"records"}
        assert switched.handler500 is urls.handler500

    @pytest.mark.urls(PLUGIN_URLCONF)
    def test_after_the_switch_credentials_records_app_has_no_urls(self):
        """Its router accepts more spellings of a uuid, and opens withdrawn links."""
        uuid = uuid4().hex
        for name in (f"{uuid}.json", f"{{{uuid}}}/", f"urn:uuid:{uuid}/", f"{uuid[:8]}--{uuid[8:]}/", "x/"):
            with pytest.raises(Resolver404):
                resolve(f"/records/api/v1/program_records/{name}")
        with pytest.raises(Resolver404):
            resolve("/records/api/v1/program_records.json")

    @pytest.mark.urls(PLUGIN_URLCONF)
    def test_after_the_switch_credentials_url_names_can_be_reversed(self):
        uuid = uuid4().hex
        assert reverse("records:private_programs", args=[uuid]) == f"/records/programs/{uuid}/"


@pytest.mark.urls(PLUGIN_URLCONF)
@pytest.mark.django_db(transaction=True)
class TestLearner:
    """A learner with grades in Credentials, through the paths that the Learner Record front end calls."""

    @pytest.fixture
    def program(self, learner):
        factories.configure()
        runs = factories.CourseRunFactory.create_batch(2)
        factories.earn(runs[0], "halima", 0.914, "A")
        return factories.ProgramFactory(title="Statistics", course_runs=runs)

    @pytest.fixture
    def pathways(self, program):
        pathways = [
            factories.PathwayFactory(name=name, email=f"{name.lower()}@university.example", programs=[program])
            for name in ("Law", "Physics")
        ]
        sync()
        return pathways

    def send(self, client, program, pathway):
        body = {"username": "halima", "pathway_id": local_copy(pathway).pk}
        return client.post(f"/records/programs/{program.uuid.hex}/send", body, content_type="application/json")

    def test_the_list(self, client, program, pathways):
        [row] = client.get("/records/api/v1/program_records/").json()["enrolled_programs"]
        assert row == {
            "name": "Statistics", "uuid": str(program.uuid), "partner": "", "completed": False, "empty": False,
        }  # fmt: skip

    def test_records_can_be_disabled_immediately(self, client, program, pathways):
        pages = [f"/records/api/v1/program_records/{program.uuid}/", f"/records/programs/{program.uuid}/"]
        assert [client.get(page).status_code for page in pages] == [200, 200]
        # Like another process, without clearing this one's cache of sites.
        SiteConfiguration.objects.update(records_enabled=False)
        assert [client.get(page).status_code for page in pages] == [404, 404]
        assert client.get("/records/api/v1/program_records/").json() == {"enrolled_programs": []}

    def test_the_record(self, client, program, pathways):
        response = client.get(f"/records/api/v1/program_records/{program.uuid}/?is_public=false").json()
        record = response["record"]
        assert record["learner"] == {
            "full_name": "Halima Khan", "username": "halima", "email": "halima@home.example",
        }  # fmt: skip
        assert [pathway["name"] for pathway in record["pathways"]] == ["Law", "Physics"]
        assert [bool(grade["issue_date"]) for grade in record["grades"]] == [True, False]
        assert record["grades"][0]["percent_grade"] == 0.914
        assert (record["platform_name"], response["records_help_url"]) == (
            "Open Example", "https://help.open.example/records",
        )  # fmt: skip

    def test_each_request_is_a_row_and_an_email(self, client, program, pathways):
        for pathway in pathways:
            response = self.send(client, program, pathway)
            assert (response.status_code, response.json()["status"]) == (200, "sent")
        rows = client.get("/records/api/v1/credit_requests/").json()["results"]
        assert {(row["pathway"], row["program"], row["status"]) for row in rows} == {
            ("Law", "Statistics", "sent"), ("Physics", "Statistics", "sent"),
        }  # fmt: skip
        assert [message.to for message in mail.outbox] == [["law@university.example"], ["physics@university.example"]]
        assert mail.outbox[0].from_email == "partners@open.example"
        assert mail.outbox[0].reply_to == ["halima@home.example"]
        assert "Open Example" in mail.outbox[0].body

    def test_the_link_in_the_email_opens_the_public_record(self, client, program, pathways):
        self.send(client, program, pathways[0])
        own = client.get(f"/records/api/v1/program_records/{program.uuid}/").json()
        uuid = UUID(own["record"]["shared_program_record_uuid"]).hex
        link = f"https://{Site.objects.get_current().domain}/records/programs/shared/{uuid}/"
        assert link in mail.outbox[0].body
        visitor = Client()
        page = visitor.get(f"/records/programs/shared/{uuid}/")
        assert page.status_code == 200
        assert "Halima Khan" in page.content.decode()
        assert "91%" in page.content.decode()
        record = visitor.get(f"/records/api/v1/program_records/{uuid}/?is_public=true").json()["record"]
        assert (record["learner"]["username"], record["learner"]["email"], record["pathways"]) == ("", "", [])
        table = visitor.get(f"/records/programs/shared/{uuid}/csv").content.decode()
        assert any("course-v1:" in cell for row in csv.reader(io.StringIO(table)) for cell in row)

    def test_a_withdrawn_link_is_dead_in_every_spelling(self, client, program, pathways):
        self.send(client, program, pathways[0])
        own = client.get(f"/records/api/v1/program_records/{program.uuid}/").json()
        uuid = UUID(own["record"]["shared_program_record_uuid"])
        client.post(f"/records/programs/{program.uuid}/revoke")
        for name in (uuid.hex, str(uuid), f"{uuid.hex}.json", f"{{{uuid.hex}}}", f"urn:uuid:{uuid.hex}"):
            for end in ("", "/"):
                url = f"/records/api/v1/program_records/{name}{end}"
                assert Client().get(url, {"is_public": "true"}, follow=True).status_code == 404, url
                assert Client().get(f"/records/programs/shared/{name}{end}", follow=True).status_code == 404

    def test_a_link_without_a_trailing_slash(self, client, program, pathways):
        """The front end's links have none."""
        url = client.post(
            f"/records/programs/{program.uuid}/share", {"username": "halima"}, content_type="application/json"
        ).json()["url"]
        response = Client().get(urlsplit(url).path.rstrip("/"), follow=True)
        assert response.redirect_chain[-1][0] == urlsplit(url).path
        assert response.status_code == 200

    def test_pages_and_admin(self, client, program, pathways, learner):
        assert client.get("/records/").status_code == 200
        page = client.get(f"/records/programs/{program.uuid.hex}/").content.decode()
        assert "https://help.open.example/records" in page
        type(learner).objects.filter(pk=learner.pk).update(is_staff=True, is_superuser=True)
        self.send(client, program, pathways[0])
        for name in ("usercreditpathway", "programcertrecord", "program", "pathway"):
            assert client.get(f"/admin/credit_pathways/{name}/").status_code == 200

    def test_sharing(self, client, program, pathways):
        url, body = f"/records/programs/{program.uuid}/share", {"username": "halima"}
        responses = [client.post(url, body, content_type="application/json") for _time in range(2)]
        assert [response.status_code for response in responses] == [201, 200]
        assert client.get(urlsplit(responses[0].json()["url"]).path).status_code == 200

    def test_the_flood_guard(self, client, program, pathways):
        responses = [self.send(client, program, pathways[0]).status_code for _time in range(16)]
        assert responses == [200] * 15 + [429]

    def test_an_email_that_cannot_be_sent(self, client, program, pathways, settings):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", 1, 1
        response = self.send(client, program, pathways[0])
        assert (response.status_code, response.json()["status"]) == (502, "failed")

    def test_disabled_records(self, client, program, pathways):
        factories.configure(records_enabled=False)
        assert client.get("/records/api/v1/program_records/").json() == {"enrolled_programs": []}
        assert client.get(f"/records/programs/{program.uuid}/").status_code == 404
        assert self.send(client, program, pathways[0]).status_code == 404


def test_the_tests_run_with_the_plugins_settings():
    """In the real Credentials, only the plug-in can have set it."""
    assert django_settings.CREDIT_PATHWAYS_RECORD_SOURCE == plugin.RECORD_SOURCE
