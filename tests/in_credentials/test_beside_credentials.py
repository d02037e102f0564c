"""How many statements the plug-in's endpoints take beside Credentials' own; only where Credentials is the real one."""

import json

import pytest
from django.test.utils import override_settings
from django.urls import clear_url_caches

from credit_pathways import api

from . import factories
from .conftest import ours, statements, sync

pytest.importorskip("credentials.apps.records.rest_api", reason="Credentials is a stand-in")
pytestmark = pytest.mark.django_db(transaction=True)

URLS = {"own": "credentials.urls", "plug-in": "credit_pathways.contrib.credentials.urls"}


def program_with(courses):
    """Make a program with so many courses of two owners each, all of them earned."""
    runs = factories.CourseRunFactory.create_batch(courses)
    for run in runs:
        run.course.owners.add(*factories.OrganizationFactory.create_batch(2))
        factories.earn(run, "halima")
    return factories.ProgramFactory(
        course_runs=runs, authoring_organizations=factories.OrganizationFactory.create_batch(2)
    )


def answered(client, path):
    assert client.get(path).status_code == 200


def count_of(client, urls, path):
    with override_settings(ROOT_URLCONF=urls):
        clear_url_caches()
        # What is looked up once in a process is not counted.
        answered(client, path)
        return statements(lambda: answered(client, path))


def counted(client, learner, courses):
    program = program_with(courses)
    factories.PathwayFactory.create_batch(3, programs=[program])
    sync()
    api.share_record(user=learner, program=ours(program))
    paths = {
        "list": "/records/api/v1/program_records/",
        "record": f"/records/api/v1/program_records/{program.uuid.hex}/?is_public=false",
    }
    return {name: {who: count_of(client, urls, path) for who, urls in URLS.items()} for name, path in paths.items()}


def test_fewer_and_no_more_for_more_courses(client, learner):
    factories.configure()
    found = {courses: counted(client, learner, courses) for courses in (5, 50)}
    print(json.dumps(found, indent=2))  # noqa: T201  for docs/how-to/install-in-credentials.rst
    assert found[5]["record"]["plug-in"] == found[50]["record"]["plug-in"] < found[5]["record"]["own"]
    assert found[50]["list"]["plug-in"] <= found[5]["list"]["plug-in"]
