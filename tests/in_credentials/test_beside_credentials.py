"""The number of queries of the plug-in's endpoints, compared with those of the real Credentials. Skipped elsewhere."""

import json

import pytest
from django.test.utils import override_settings
from django.urls import clear_url_caches

from credit_pathways import api

from . import factories
from .conftest import count_queries, local_copy, sync

pytest.importorskip("credentials.apps.records.rest_api", reason="Credentials is a stand-in")
pytestmark = pytest.mark.django_db(transaction=True)

URLCONFS = {"own": "credentials.urls", "plug-in": "credit_pathways.contrib.credentials.urls"}


def program_with(courses):
    """Create a program with some earned courses of two owners each."""
    runs = factories.CourseRunFactory.create_batch(courses)
    for run in runs:
        run.course.owners.add(*factories.OrganizationFactory.create_batch(2))
        factories.earn(run, "halima")
    return factories.ProgramFactory(
        course_runs=runs, authoring_organizations=factories.OrganizationFactory.create_batch(2)
    )


def get(client, path):
    assert client.get(path).status_code == 200


def count_queries_of(client, urlconf, path):
    with override_settings(ROOT_URLCONF=urlconf):
        clear_url_caches()
        # Fill the caches of the process first.
        get(client, path)
        return count_queries(lambda: get(client, path))


def compare(client, learner, courses):
    program = program_with(courses)
    factories.PathwayFactory.create_batch(3, programs=[program])
    sync()
    api.share_record(user=learner, program=local_copy(program))
    paths = {
        "list": "/records/api/v1/program_records/",
        "record": f"/records/api/v1/program_records/{program.uuid.hex}/?is_public=false",
    }
    return {
        name: {app: count_queries_of(client, urlconf, path) for app, urlconf in URLCONFS.items()}
        for name, path in paths.items()
    }


def test_fewer_queries_however_many_courses(client, learner):
    factories.configure()
    counts = {courses: compare(client, learner, courses) for courses in (5, 50)}
    print(json.dumps(counts, indent=2))  # noqa: T201  for docs/how-to/install-in-credentials.rst
    assert counts[5]["record"]["plug-in"] == counts[50]["record"]["plug-in"] < counts[5]["record"]["own"]
    assert counts[50]["list"]["plug-in"] <= counts[5]["list"]["plug-in"]
