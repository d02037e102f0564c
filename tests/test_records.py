"""The seam to the host."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.contrib.sites.models import Site

from credit_pathways.records import CatalogRecordSource, ProgramRecord, Progress, RecordSource, record_source

from . import factories
from .record_source import EARNED, NOT_EARNED, FixedRecordSource


def test_the_setting_names_the_source(settings):
    assert isinstance(record_source(), FixedRecordSource)
    del settings.CREDIT_PATHWAYS_RECORD_SOURCE
    assert isinstance(record_source(), CatalogRecordSource)


def test_a_source_must_say_both_things():
    class Half(RecordSource):
        def progress(self, user, program):
            return None

    with pytest.raises(TypeError):
        Half()


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
def test_a_grade_in_per_cent(fraction, percent):
    assert replace(EARNED, percent_grade=fraction).percent == percent


@pytest.mark.parametrize(("courses", "empty"), [((), True), ([NOT_EARNED], True), ([NOT_EARNED, EARNED], False)])
def test_a_record_is_empty_until_a_course_is_earned(courses, empty):
    progress = Progress(False, courses, None)
    assert ProgramRecord(user=None, program=None, progress=progress, shared_record=None).empty is empty
