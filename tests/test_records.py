"""The host integration."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.contrib.sites.models import Site
from django.urls import reverse

from credit_pathways import api
from credit_pathways.models import ProgramCertRecord
from credit_pathways.records import (
    CatalogRecordSource,
    CourseResult,
    ProgramRecord,
    Progress,
    RecordSource,
    SiteConfiguration,
    _log_invalid,
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


INVALID = {
    "percent_grade": [
        91,
        10**5000,
        1.01,
        -0.1,
        math.nan,
        math.inf,
        -math.inf,
        True,
        False,
        "0.9",
        Decimal("NaN"),
        Decimal("sNaN"),
    ],
    "attempts": [-1, 1.5, True, "2", math.nan],
    "issue_date": [datetime(2026, 1, 1), date(2026, 1, 1), "2026-01-01", datetime.max.replace(tzinfo=UTC), 5],  # noqa: DTZ001
}


class TestInvalidValues:
    """A host's invalid values are treated as unknown, logged once, and never break anything."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [(name, value) for name in INVALID for value in INVALID[name]],
        ids=lambda value: type(value).__name__,
    )
    def test_they_are_unknown_and_logged_once(self, name, value, caplog):
        _log_invalid.cache_clear()
        results = [replace(EARNED, **{name: value}) for _time in range(3)]
        assert {getattr(result, name) for result in results} == {None}
        [line] = [record for record in caplog.records if record.name == "credit_pathways.records"]
        assert line.getMessage() == f"the record source's CourseResult.{name} is invalid, so it is treated as unknown"

    def test_a_sum_of_weights(self):
        assert replace(EARNED, percent_grade=0.2 + 0.4 + 0.3 + 0.1).rounded_percent == 100

    def test_valid_values_are_kept(self, caplog):
        aware = datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Kathmandu"))
        values = {"percent_grade": Decimal("0.5"), "attempts": 0, "issue_date": aware, "school": None, "course_id": 7}
        result = replace(EARNED, **values)
        assert {name: getattr(result, name) for name in values} == {**values, "course_id": "7"}
        assert not caplog.records

    def test_courses_that_can_be_read_once(self):
        progress = Progress(False, (course for course in (EARNED, NOT_EARNED)), None)
        assert [*progress.courses, *progress.courses] == [EARNED, NOT_EARNED] * 2
        assert Progress(None, None, None) == Progress(False, (), None)

    def test_every_field_but_the_name_has_a_default(self):
        assert CourseResult("Algebra") == CourseResult("Algebra", "", "", None, None, "", None)

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize(
        "course",
        [
            CourseResult("Algebra"),
            CourseResult("Algebra", None, None, None, None, None, None),
            replace(EARNED, percent_grade=math.nan, attempts=-1, issue_date=datetime(1, 1, 1)),  # noqa: DTZ001
            replace(EARNED, percent_grade=91, name="Algebra \ud800", letter_grade="\udfff"),
        ],
        ids=["nothing", "none", "invalid", "surrogates"],
    )
    def test_page_email_json_and_csv(self, course, client, learner, program, pathway, relay, monkeypatch, settings):
        settings.TIME_ZONE = "America/New_York"
        monkeypatch.setattr(FixedRecordSource, "courses", [course])
        progress = Progress("yes", [course], datetime(1, 1, 1))  # noqa: DTZ001
        monkeypatch.setattr(FixedRecordSource, "progress", lambda *_arguments: progress)
        [row] = api.request_credit(user=learner, program=program, pathways=[pathway])
        assert (row.status, row.completed) == ("sent", True)
        shared = ProgramCertRecord.objects.get()
        pages = [("program_record", program.uuid), ("public_record", shared.uuid), ("public_record_csv", shared.uuid)]
        for name, uuid in [*pages, ("api-records-detail", program.uuid)]:
            content = client.get(reverse(f"credit_pathways:{name}", args=[uuid])).content.decode()
            assert not [word for word in ("None", "NaN", "nan", "9100%", "inf") if word in content], name


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
    def test_no_platform_name(self, record, monkeypatch, settings):
        monkeypatch.setattr(
            FixedRecordSource, "site_configuration", lambda *_arguments: SiteConfiguration(platform_name=None)
        )
        settings.CREDIT_PATHWAYS_PLATFORM_NAME = None
        assert record.site_configuration.platform_name == "example.com"

    @pytest.mark.django_db
    def test_settings_come_first(self, record, host_configuration, settings):
        settings.CREDIT_PATHWAYS_PLATFORM_NAME, settings.CREDIT_PATHWAYS_FROM_ADDRESS = "Set", "set@example.com"
        found = record.site_configuration
        assert (found.platform_name, found.from_address) == ("Set", "set@example.com")

    @pytest.mark.django_db(transaction=True)
    def test_it_reaches_email_json_and_page(self, host_configuration, client, program, pathway, relay):
        body = {"username": "halima", "pathway_id": pathway.pk}
        client.post(reverse("credit_pathways:send", args=[program.uuid]), body, content_type="application/json")
        assert relay.messages[0]["From"] == "host@example.com"
        assert "Host" in relay.messages[0].get_body(("plain",)).get_content()
        data = client.get(reverse("credit_pathways:api-records-detail", args=[program.uuid])).json()
        assert data["records_help_url"] == "https://help.example.com"
        assert data["record"]["platform_name"] == "Host"
        page = client.get(reverse("credit_pathways:program_record", args=[program.uuid])).content.decode()
        assert 'href="https://help.example.com"' in page
