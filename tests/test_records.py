"""The host integration."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.contrib.sites.models import Site

from credit_pathways.records import (
    CatalogRecordSource,
    ProgramRecord,
    Progress,
    RecordSource,
    SiteConfiguration,
    record_source,
)
from tests import factories
from tests.support.record_source import EARNED, NOT_EARNED, FixedRecordSource


def test_the_setting_names_the_source(settings):
    assert isinstance(record_source(), FixedRecordSource)
    del settings.CREDIT_PATHWAYS_RECORD_SOURCE
    assert isinstance(record_source(), CatalogRecordSource)


def test_a_source_must_implement_both_methods():
    class Incomplete(RecordSource):
        def progress(self, user, program):
            return None

    with pytest.raises(TypeError):
        Incomplete()


@pytest.mark.django_db
class TestCatalogRecordSource:
    def test_lists_the_active_programs_of_the_site(self):
        program = factories.ProgramFactory(title="B")
        other = factories.ProgramFactory(title="A")
        factories.ProgramFactory(status="retired")
        factories.ProgramFactory(site=factories.SiteFactory())
        assert list(CatalogRecordSource().programs(None, Site.objects.get_current())) == [other, program]

    def test_has_no_courses(self, program):
        assert CatalogRecordSource().progress(None, program) == Progress(False, (), program.modified)

    @pytest.mark.parametrize("status", ["retired", "unpublished", "deleted"])
    def test_has_no_record_of_a_program_that_is_not_active(self, status):
        assert CatalogRecordSource().progress(None, factories.ProgramFactory(status=status)) is None


@pytest.mark.parametrize(
    ("fraction", "percent"),
    [
        (None, None),
        (0, 0),
        (Decimal("0.9050"), 91),
        (Decimal("0.925"), 93),
        (0.905, 91),
        (0.9149, 91),
        (0.5, 50),
        (1.0, 100),
    ],
)
def test_rounded_percent(fraction, percent):
    assert replace(EARNED, percent_grade=fraction).rounded_percent == percent


@pytest.mark.parametrize(("courses", "empty"), [((), True), ([NOT_EARNED], True), ([NOT_EARNED, EARNED], False)])
def test_a_record_is_empty_until_a_course_is_earned(courses, empty):
    progress = Progress(False, courses, None)
    assert ProgramRecord(user=None, program=None, progress=progress, shared_record=None).empty is empty


class TestSiteConfiguration:
    """Settings come first, then the record source, then defaults."""

    HOSTS = SiteConfiguration(
        platform_name="Host", from_address="host@example.com", records_help_url="https://help.example.com"
    )

    @pytest.fixture
    def record(self, program):
        return ProgramRecord(user=None, program=program, progress=Progress(False, (), None), shared_record=None)

    @pytest.fixture
    def host_configuration(self, monkeypatch):
        monkeypatch.setattr(FixedRecordSource, "site_configuration", lambda *_arguments: self.HOSTS)

    @pytest.mark.django_db
    def test_defaults(self, record):
        assert record.site_configuration == SiteConfiguration(
            platform_name="example.com", from_address="no-reply@example.com", records_help_url=""
        )

    @pytest.mark.django_db
    def test_the_record_sources(self, record, host_configuration):
        assert record.site_configuration == self.HOSTS

    @pytest.mark.django_db
    def test_settings_come_first(self, record, host_configuration, settings):
        settings.CREDIT_PATHWAYS_PLATFORM_NAME, settings.CREDIT_PATHWAYS_FROM_ADDRESS = "Set", "set@example.com"
        found = record.site_configuration
        assert (found.platform_name, found.from_address) == ("Set", "set@example.com")

    @pytest.mark.django_db(transaction=True)
    def test_it_reaches_email_json_and_page(self, host_configuration, client, program, pathway, relay):
        body = {"username": "halima", "pathway_id": pathway.pk}
        client.post(f"/records/programs/{program.uuid}/send", body, content_type="application/json")
        assert relay.messages[0]["From"] == "host@example.com"
        assert "Host" in relay.messages[0].get_body(("plain",)).get_content()
        data = client.get(f"/records/api/v1/program_records/{program.uuid}/").json()
        assert data["records_help_url"] == "https://help.example.com"
        assert data["record"]["platform_name"] == "Host"
        page = client.get(f"/records/programs/{program.uuid}/").content.decode()
        assert 'href="https://help.example.com"' in page
