"""``contrib.credentials`` on hosts with two databases. The tests in the real Credentials have only one."""

import pytest
from credentials.apps.records import models as host
from django.contrib.contenttypes.models import ContentType
from django.contrib.sites.models import Site

from credit_pathways.contrib.credentials.imports import ImportResult, import_rows
from credit_pathways.contrib.credentials.records import CredentialsRecordSource
from tests.in_credentials import factories
from tests.in_credentials.conftest import local_copy, sync
from tests.support.routers import ReplicaRouter


class LaggingReplicaRouter(ReplicaRouter):
    """Everything is read from the second database, which has nothing but content types."""

    def db_for_read(self, model, **hints):
        return "default" if model is ContentType else "second"


@pytest.fixture
def _site_of_this_database():
    Site.objects.clear_cache()
    yield
    Site.objects.clear_cache()


@pytest.fixture
def program(_site_of_this_database, learner):
    """A program of Credentials that the learner has completed, with a link and a request."""
    factories.configure()
    run = factories.CourseRunFactory()
    run.course.owners.add(factories.OrganizationFactory(name="Northfield"))
    factories.earn(run, learner.username)
    organization = factories.OrganizationFactory(name="Lakeside")
    program = factories.ProgramFactory(course_runs=[run], authoring_organizations=[organization])
    factories.certify_program(program, learner.username)
    host.ProgramCertRecord.objects.create(user=learner, program=program)
    pathway = factories.PathwayFactory(programs=[program])
    host.UserCreditPathway.objects.create(user=learner, program=program, pathway=pathway)
    return program


def assert_catalog_and_requests_are_copied_once():
    assert [sync().splitlines()[-1] for _time in range(2)] == ["3 changes.", "0 changes."]
    results = [sum(import_rows(dry_run=dry_run), ImportResult()) for dry_run in (True, False, False)]
    assert results == [ImportResult(links=1, requests=1), ImportResult(links=1, requests=1), ImportResult()]


@pytest.mark.django_db(databases=["default", "second"])
class TestLaggingReplica:
    """Promise 8."""

    def test_the_record_is_read_from_the_primary_database(self, learner, program, settings):
        def read():
            return CredentialsRecordSource().progress(learner, copy), CredentialsRecordSource().site_configuration(site)

        sync()
        copy = local_copy(program)
        site = copy.site
        before = read()
        settings.DATABASE_ROUTERS = [f"{__name__}.LaggingReplicaRouter"]
        assert read() == before
        progress, configuration = before
        assert (progress.completed, progress.courses[0].school) == (True, "Northfield")
        assert configuration.platform_name == "Open Example"

    def test_so_are_the_catalog_and_the_requests(self, program, settings):
        settings.DATABASE_ROUTERS = [f"{__name__}.LaggingReplicaRouter"]
        assert_catalog_and_requests_are_copied_once()


@pytest.mark.django_db(databases=["second"])
def test_everything_is_in_the_second_database(settings, request):
    settings.DATABASE_ROUTERS = ["tests.support.routers.SecondDatabaseRouter"]
    request.getfixturevalue("program")
    assert_catalog_and_requests_are_copied_once()
