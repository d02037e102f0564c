"""``sync_catalog --from-credentials``: copy Credentials' own catalog of a site."""

import io

import pytest
from django.core.management import call_command

from credit_pathways.models import Pathway, Program

from . import factories
from .conftest import count_queries, local_copy, sync

pytestmark = pytest.mark.django_db


@pytest.fixture
def catalog(db):
    """A program of two organizations, and a pathway for it."""
    organizations = [factories.OrganizationFactory(name=name) for name in ("Southfield", "Northfield")]
    program = factories.ProgramFactory(title="Statistics", authoring_organizations=organizations)
    pathway = factories.PathwayFactory(
        name="Master", org_name="Northfield", email="registrar@northfield.example", programs=[program]
    )
    return program, pathway


def test_everything_is_copied(catalog):
    program, pathway = catalog
    sync()
    copy = local_copy(program)
    assert (copy.title, copy.type, copy.school, copy.status) == (
        "Statistics", "MicroMasters", "Southfield, Northfield", "active",
    )  # fmt: skip
    copy = local_copy(pathway)
    assert (copy.name, copy.org_name, copy.email) == ("Master", "Northfield", "registrar@northfield.example")
    assert (copy.pathway_type, copy.status) == ("credit", "published")
    assert list(copy.programs.all()) == [local_copy(program)]
    assert list(Pathway.objects.requestable_for(local_copy(program))) == [copy]


def test_an_organization_without_a_name_is_omitted(db):
    nameless = factories.OrganizationFactory(name="")
    program = factories.ProgramFactory(authoring_organizations=[nameless, factories.OrganizationFactory(name="North")])
    sync()
    assert local_copy(program).school == "North"


def test_a_second_run_changes_nothing(catalog):
    sync()
    assert sync() == "0 changes.\n"


def test_next_steps_that_credentials_does_not_have_are_kept(catalog):
    sync()
    Pathway.objects.update(description="Apply by June.", destination_url="https://northfield.example/next")
    assert sync() == "0 changes.\n"
    copy = local_copy(catalog[1])
    assert (copy.description, copy.destination_url) == ("Apply by June.", "https://northfield.example/next")


def test_missing_items_are_retired(catalog):
    program, pathway = catalog
    sync()
    uuids = program.uuid, pathway.uuid
    pathway.delete()
    program.delete()
    sync()
    assert Program.objects.get(uuid=uuids[0]).status == "retired"
    assert Pathway.objects.get(uuid=uuids[1]).status == "retired"


def test_each_site_has_its_own_catalog(catalog):
    other = factories.SiteFactory()
    elsewhere = factories.ProgramFactory(site=other, title="Elsewhere")
    sync()
    assert Program.objects.filter(site=other).count() == 0
    call_command("sync_catalog", from_credentials=True, site=other.domain, stdout=io.StringIO())
    assert local_copy(elsewhere).title == "Elsewhere"
    assert Program.objects.count() == 2


def test_the_number_of_queries_does_not_depend_on_the_catalog(catalog):
    sync()
    few = count_queries(sync)
    for _number in range(5):
        organization = factories.OrganizationFactory()
        factories.PathwayFactory(programs=[factories.ProgramFactory(authoring_organizations=[organization])])
    sync()
    assert count_queries(sync) == few
