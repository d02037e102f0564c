"""A learner's record, from Credentials' grades and certificates."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from credentials.apps.credentials.models import UserCredential
from django.contrib.sites.models import Site
from django.core.management import call_command
from django.utils import timezone

from credit_pathways import api
from credit_pathways.contrib.credentials.records import CredentialsRecordSource
from credit_pathways.records import CourseResult, SiteConfiguration

from . import factories
from .conftest import count_queries, local_copy, sync
from .factories import ISSUED

pytestmark = pytest.mark.django_db

LATER = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def run(db):
    """A course run of a course with two owners."""
    course = factories.CourseFactory(title="Probability")
    course.owners.add(
        factories.OrganizationFactory(name="Southfield"), factories.OrganizationFactory(name="Northfield")
    )
    return factories.CourseRunFactory(course=course, key="course-v1:N+P+1")


def progress(learner, program):
    return CredentialsRecordSource().progress(learner, local_copy(program))


def program_of(*runs, **values):
    program = factories.ProgramFactory(course_runs=runs, **values)
    sync()
    return program


def course_result(learner, *runs):
    """Return the only course of a program with these runs."""
    [course] = progress(learner, program_of(*runs)).courses
    return course


def test_an_earned_course(learner, run):
    factories.earn(run, "halima", 0.914, "A")
    assert course_result(learner, run) == CourseResult(
        name="Probability",
        school="Southfield, Northfield",
        course_id="course-v1:N+P+1",
        attempts=1,
        percent_grade=Decimal("0.9140"),
        letter_grade="A",
        issue_date=ISSUED,
    )


def test_grade_run_and_date_are_those_of_the_best_attempt(learner, run):
    second, third = factories.CourseRunFactory.create_batch(2, course=run.course)
    factories.earn(run, "halima", 0.6, "D")
    factories.grade(second, "halima", 0.95, "A")
    factories.certify(second, "halima", created=LATER)
    factories.earn(third, "halima", 0.7, "C")
    course = course_result(learner, run, second, third)
    assert (course.percent_grade, course.letter_grade) == (Decimal("0.95"), "A")
    assert (course.course_id, course.issue_date, course.attempts) == (second.key, LATER, 3)


def test_an_unverified_attempt_does_not_count(learner, run):
    second = factories.CourseRunFactory(course=run.course)
    factories.earn(run, "halima", 0.6)
    factories.grade(second, "halima", 0.99, verified=False)
    factories.certify(second, "halima")
    course = course_result(learner, run, second)
    assert (course.percent_grade, course.attempts, course.course_id) == (Decimal("0.6"), 1, run.key)


def test_a_course_can_be_earned_without_a_grade(learner, run):
    factories.certify(run, "halima")
    course = course_result(learner, run)
    assert (course.percent_grade, course.letter_grade, course.attempts) == (None, "", 0)
    assert (course.course_id, course.issue_date) == (run.key, ISSUED)


@pytest.mark.parametrize(
    ("certificate", "attempts"),
    [(None, 0), ({"status": "revoked"}, 1), ({"available": timezone.now() + timedelta(days=1)}, 0)],
    ids=["none", "revoked", "not available yet"],
)
def test_a_grade_without_an_awarded_certificate_is_not_shown(learner, run, certificate, attempts):
    factories.grade(run, "halima", 0.9, "A")
    if certificate is not None:
        factories.certify(run, "halima", **certificate)
    course = course_result(learner, run)
    assert (course.percent_grade, course.letter_grade, course.course_id) == (None, "", "")
    assert (course.issue_date, course.attempts) == (None, attempts)


def test_a_revoked_attempt_does_not_count(learner, run):
    second = factories.CourseRunFactory(course=run.course)
    factories.earn(run, "halima", 0.6)
    factories.grade(second, "halima", 0.95)
    factories.certify(second, "halima", status="revoked")
    course = course_result(learner, run, second)
    assert (course.percent_grade, course.attempts) == (Decimal("0.6"), 2)


def test_the_date_is_the_available_date_of_the_certificate(learner, run):
    factories.certify(run, "halima", available=LATER)
    assert course_result(learner, run).issue_date == LATER


def test_a_date_override_takes_precedence(learner, run):
    override = datetime(2025, 12, 24, tzinfo=UTC)
    factories.override_date(factories.certify(run, "halima", available=LATER), override)
    assert course_result(learner, run).issue_date == override


def test_one_result_per_course_in_the_order_of_the_program(learner, run):
    other = factories.CourseRunFactory()
    factories.earn(run, "halima")
    courses = progress(learner, program_of(other, run, factories.CourseRunFactory(course=other.course))).courses
    assert [course.name for course in courses] == [other.course.title, "Probability"]
    assert [course.issue_date for course in courses] == [None, ISSUED]


def test_a_course_without_a_title_shows_its_key(learner, run):
    run.course.title = None
    run.course.save()
    factories.certify(run, "halima")
    assert course_result(learner, run).name == run.course.key


def test_other_learners_and_other_programs_do_not_count(learner, run):
    elsewhere = factories.CourseRunFactory()
    factories.grade(run, "halima", 0.5)
    factories.earn(run, "dario", 0.99)
    factories.earn(elsewhere, "halima", 0.99)
    program_of(elsewhere)
    course = course_result(learner, run)
    assert (course.percent_grade, course.attempts, course.issue_date) == (None, 0, None)


def test_no_record_without_a_grade_or_certificate(learner, run):
    factories.grade(run, "halima", 0.5, verified=False)
    factories.certify(run, "halima", available=timezone.now() + timedelta(days=1))
    assert progress(learner, program_of(run)) is None


def test_no_record_in_a_program_that_credentials_does_not_have(learner, run):
    factories.earn(run, "halima")
    program = program_of(run)
    program.delete()
    assert CredentialsRecordSource().progress(learner, api.Program.objects.get(uuid=program.uuid)) is None


def test_last_updated_is_the_latest_change_of_a_grade_or_certificate(learner, run):
    factories.grade(run, "halima", 0.9, modified=LATER)
    factories.certify(run, "halima")
    program = program_of(run)
    assert progress(learner, program).last_updated == LATER
    other = factories.CourseRunFactory()
    factories.certify(other, "halima", available=LATER + timedelta(days=1))
    program.course_runs.add(other)
    assert progress(learner, program).last_updated == LATER + timedelta(days=1)


def test_last_updated_includes_revocations(learner, run):
    factories.certify(run, "halima", status="revoked")
    UserCredential.objects.update(modified=LATER)
    assert progress(learner, program_of(run)).last_updated == LATER


def test_a_grade_of_zero_is_better_than_none(learner, run):
    second = factories.CourseRunFactory(course=run.course)
    factories.certify(run, "halima")
    factories.earn(second, "halima", 0, "")
    course = course_result(learner, run, second)
    assert (course.course_id, course.percent_grade, course.letter_grade) == (second.key, 0, "")


def test_the_same_program_on_two_sites(learner, run):
    site = factories.SiteFactory()
    mine = program_of(run)
    other = factories.ProgramFactory(site=site, uuid=mine.uuid, course_runs=[factories.CourseRunFactory()])
    call_command("sync_catalog", from_credentials=True, site=site.domain, stdout=io.StringIO())
    factories.earn(run, "halima")
    factories.certify_program(mine, "halima")
    assert progress(learner, mine).completed
    assert progress(learner, other) is None
    assert list(CredentialsRecordSource().programs(learner, site)) == []
    assert list(CredentialsRecordSource().programs(learner, mine.site)) == [local_copy(mine)]
    other.course_runs.add(run)
    assert not progress(learner, other).completed


class TestCompleted:
    """A program is completed by its certificate, once all certificates of its courses are available."""

    @pytest.fixture
    def program(self, learner, run):
        factories.earn(run, "halima")
        return program_of(run)

    def test_earned_courses_are_not_enough(self, learner, program):
        assert not progress(learner, program).completed

    def test_a_program_certificate_completes_it(self, learner, program):
        factories.certify_program(program, "halima")
        assert progress(learner, program).completed

    def test_a_revoked_certificate_does_not(self, learner, program):
        factories.certify_program(program, "halima", status="revoked")
        assert not progress(learner, program).completed

    def test_the_certificate_of_another_learner_does_not(self, learner, program):
        factories.certify_program(program, "dario")
        assert not progress(learner, program).completed

    def test_date_overrides_do_not_matter(self, learner, program, run):
        factories.override_date(UserCredential.objects.get(username="halima"), timezone.now() + timedelta(days=1))
        factories.certify_program(program, "halima")
        assert progress(learner, program).completed

    def test_not_while_a_course_certificate_is_not_available(self, learner, program):
        factories.certify_program(program, "halima")
        late = factories.CourseRunFactory()
        factories.certify(late, "halima", available=timezone.now() + timedelta(days=1))
        program.course_runs.add(late)
        assert not progress(learner, program).completed


class TestList:
    """The programs in a learner's list."""

    def programs(self, learner):
        return [program.title for program in CredentialsRecordSource().programs(learner, Site.objects.get_current())]

    def test_programs_with_an_earned_course_by_title(self, learner, run):
        factories.earn(run, "halima")
        begun = factories.CourseRunFactory()
        factories.grade(begun, "halima", 0.9)
        for title, runs in {"B": [run], "A": [run, begun], "C": [begun], "D": []}.items():
            program_of(*runs, title=title)
        assert self.programs(learner) == ["A", "B"]

    @pytest.mark.parametrize("certificate", [{"status": "revoked"}, {"available": timezone.now() + timedelta(days=1)}])
    def test_none_without_an_available_awarded_certificate(self, learner, run, certificate):
        factories.grade(run, "halima", 0.9)
        factories.certify(run, "halima", **certificate)
        program_of(run)
        assert self.programs(learner) == []

    @pytest.mark.parametrize(
        ("status", "listed"), [("active", True), ("retired", True), ("unpublished", False), ("deleted", False)]
    )
    def test_the_status_of_the_program(self, learner, run, status, listed):
        factories.earn(run, "halima")
        program_of(run, title="A", status=status)
        assert self.programs(learner) == (["A"] if listed else [])

    def test_none_of_another_site(self, learner, run):
        factories.earn(run, "halima")
        factories.ProgramFactory(site=factories.SiteFactory(), course_runs=[run])
        assert self.programs(learner) == []


class TestSite:
    """Credentials' configuration of the site."""

    def test_values_of_the_configuration(self, db):
        factories.configure()
        assert CredentialsRecordSource().site_configuration(Site.objects.get_current()) == SiteConfiguration(
            platform_name="Open Example",
            from_address="partners@open.example",
            records_help_url="https://help.open.example/records",
        )

    def test_missing_values_have_defaults(self, db):
        site = factories.SiteFactory()
        assert CredentialsRecordSource().site_configuration(site) == SiteConfiguration()
        factories.configure(site, platform_name=None, partner_from_address=None, records_help_url="")
        site = Site.objects.get(pk=site.pk)
        assert CredentialsRecordSource().site_configuration(site) == SiteConfiguration()

    def test_disabled_records(self, learner, run):
        factories.earn(run, "halima")
        program = program_of(run)
        factories.configure(records_enabled=False)
        assert progress(learner, program) is None
        assert list(CredentialsRecordSource().programs(learner, Site.objects.get_current())) == []


def _programs(learner, *, programs, courses):
    """Create programs with some courses of two runs each, all earned."""
    created = []
    for _number in range(programs):
        course_runs = [
            factories.CourseRunFactory(course=course)
            for course in factories.CourseFactory.create_batch(courses)
            for _attempt in range(2)
        ]
        for run in course_runs:
            run.course.owners.add(factories.OrganizationFactory())
            factories.earn(run, learner.username)
        created.append(factories.ProgramFactory(course_runs=course_runs))
    sync()
    return [local_copy(program) for program in created]


def test_the_number_of_queries_does_not_depend_on_the_number_of_courses(learner):
    [few] = _programs(learner, programs=1, courses=2)
    [many] = _programs(learner, programs=1, courses=12)
    # Fill the cache of content types first.
    progress(learner, program_of(factories.CourseRunFactory()))
    counts = [count_queries(lambda p=p: CredentialsRecordSource().progress(learner, p)) for p in (few, many)]
    assert counts[0] == counts[1] <= 7


def test_the_number_of_queries_does_not_depend_on_the_number_of_programs(learner):
    factories.configure()
    site = Site.objects.get_current()
    _programs(learner, programs=1, courses=2)
    api.program_records(user=learner, site=site)
    one = count_queries(lambda: api.program_records(user=learner, site=site))
    _programs(learner, programs=5, courses=2)
    assert count_queries(lambda: api.program_records(user=learner, site=site)) == one
    assert len(api.program_records(user=learner, site=site)) == 6
