"""``synchronize``, through ``manage.py sync_catalog --file``."""

import copy
import json

import pytest
from django.contrib.sites.models import Site
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from credit_pathways.catalog.sync import synchronize
from credit_pathways.models import Pathway, Program
from tests import factories
from tests.support.catalog_items import pathway_item, program_item

pytestmark = pytest.mark.django_db


@pytest.fixture
def catalog():
    """A catalog of two programs, and two pathways for the first."""
    programs = [program_item(), program_item(title="History", status="retired")]
    pathways = [pathway_item(programs[0]), pathway_item(programs[0], name="Jobs", pathway_type="industry")]
    return {"programs": programs, "pathways": pathways}


@pytest.fixture
def sync(tmp_path, capsys):
    """Return a function that runs the command on a catalog and returns its output."""

    def run(data, **options):
        file = tmp_path / "catalog.json"
        file.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
        try:
            call_command("sync_catalog", file=file, **options)
        finally:
            run.output = capsys.readouterr()
        return run.output.out

    return run


def rows():
    programs = Program.objects.order_by("title").values_list("title", "type", "school", "status")
    pathways = Pathway.objects.order_by("name").values_list("name", "org_name", "email", "pathway_type", "status")
    links = Pathway.programs.through.objects.order_by("pathway__name").values_list("pathway__name", "program__title")
    return list(programs), list(pathways), list(links)


class TestSynchronize:
    def test_creates(self, catalog, sync):
        out = sync(catalog)
        assert rows() == (
            [
                ("History", "MicroMasters", "Northfield, Lakeside", "retired"),
                ("Statistics", "MicroMasters", "Northfield, Lakeside", "active"),
            ],
            [
                ("Jobs", "Northfield", "registrar@northfield.example", "industry", "published"),
                ("Master", "Northfield", "registrar@northfield.example", "credit", "published"),
            ],
            [("Jobs", "Statistics"), ("Master", "Statistics")],
        )
        assert f"program {catalog['programs'][0]['uuid']} created: Statistics" in out
        assert "6 changes." in out

    def test_updates_rows_and_keeps_their_ids(self, catalog, sync):
        sync(catalog)
        before = dict(Program.objects.values_list("uuid", "pk"))
        catalog["programs"][0].update(title="Statistics II", type=None, authoring_organizations=[])
        catalog["pathways"][0].update(
            email="", org_name="Southfield", programs=[{"uuid": catalog["programs"][1]["uuid"]}]
        )
        sync(catalog)
        assert dict(Program.objects.values_list("uuid", "pk")) == before
        program, pathway = Program.objects.get(title="Statistics II"), Pathway.objects.get(org_name="Southfield")
        assert (program.type, program.school, pathway.email) == ("", "", "")
        assert [linked.title for linked in pathway.programs.all()] == ["History"]
        assert program.modified > program.created

    def test_retires_missing_items_and_deletes_nothing(self, catalog, sync):
        sync(catalog)
        gone = Program.objects.get(title="Statistics")
        factories.UserCreditPathwayFactory(program=gone, pathway=Pathway.objects.get(name="Master"))
        out = sync({"programs": [], "pathways": []})
        assert {status for *_row, status in [*rows()[0], *rows()[1]]} == {"retired"}
        assert f"program {gone.uuid} now retired: Statistics" in out
        assert gone.pathways.count() == 2

    def test_does_not_retire_a_deleted_program(self, sync):
        factories.ProgramFactory(status="deleted")
        assert "0 changes." in sync({"programs": [], "pathways": []})

    def test_restores_items_that_return(self, catalog, sync):
        sync(catalog)
        before = rows()
        sync({"programs": [], "pathways": []})
        sync(catalog)
        assert rows() == before

    def test_a_second_run_changes_nothing(self, catalog, sync):
        sync(catalog)
        modified = list(Program.objects.values_list("modified", flat=True))
        assert sync(catalog) == "0 changes.\n"
        assert list(Program.objects.values_list("modified", flat=True)) == modified

    def test_without_changes_the_number_of_queries_is_constant(self, sync, django_assert_num_queries):
        for count in (1, 40):
            programs = [program_item(title=f"P{number}") for number in range(count)]
            data = {"programs": programs, "pathways": [pathway_item(*programs) for _number in range(count)]}
            sync(data)
            with django_assert_num_queries(5 + 2):  # and the savepoint
                assert sync(data) == "0 changes.\n"

    def test_a_dry_run_has_the_same_output_and_changes_nothing(self, catalog, sync):
        out = sync(catalog, dry_run=True)
        assert "6 changes, not made (dry run)." in out
        assert rows() == ([], [], [])
        assert sync(catalog).splitlines()[:-1] == out.splitlines()[:-1]


class TestSites:
    def test_each_site_has_its_own_catalog(self, catalog, sync):
        other = factories.SiteFactory(domain="other.example")
        sync(catalog)
        sync({"programs": catalog["programs"][:1], "pathways": []}, site="other.example")
        assert Program.objects.filter(site=other).count() == 1
        assert Program.objects.get(site=1, title="Statistics").status == "active"

    def test_a_link_to_a_program_of_another_site_is_kept(self, catalog, sync):
        sync(catalog)
        pathway, program = Pathway.objects.get(name="Master"), Program.objects.get(title="Statistics")
        other = factories.ProgramFactory(uuid=program.uuid, site=factories.SiteFactory())
        pathway.programs.set([other])
        sync(catalog)
        assert set(pathway.programs.all()) == {program, other}

    def test_an_unknown_site(self, catalog, sync):
        with pytest.raises(CommandError, match=r"no site nowhere\.example"):
            sync(catalog, site="nowhere.example")

    def test_without_a_site_id_the_site_is_required(self, catalog, sync, settings):
        del settings.SITE_ID
        with pytest.raises(CommandError, match="--site"):
            sync(catalog)


#: Changes that make an item invalid, and the field that is reported.
INVALID_PROGRAMS = [
    ({"uuid": "x"}, "uuid"),
    ({"uuid": None}, "uuid"),
    ({"title": ""}, "title"),
    ({"title": "x" * 256}, "title"),
    ({"status": "new"}, "status"),
    ({"authoring_organizations": "Northfield"}, "authoring_organizations"),
    ({"authoring_organizations": [{"key": "N"}]}, "authoring_organizations"),
]
INVALID_PATHWAYS = [
    ({"name": None}, "name"),
    ({"email": "nobody"}, "email"),
    ({"pathway_type": "x"}, "pathway_type"),
    ({"status": "x"}, "status"),
    ({"programs": [{"uuid": 1.5}]}, "programs"),
]


class TestInvalidItems:
    @pytest.mark.parametrize(
        ("kind", "change", "field"),
        [("programs", *row) for row in INVALID_PROGRAMS] + [("pathways", *row) for row in INVALID_PATHWAYS],
        ids=str,
    )
    def test_an_invalid_item_is_reported_and_its_row_is_unchanged(self, kind, change, field, catalog, sync):
        sync(catalog)
        before = rows()
        changed = copy.deepcopy(catalog)
        changed[kind][0].update(change)
        changed["programs"][1]["title"] = "History II"
        with pytest.raises(CommandError, match=r"1 problem \(see above\)"):
            sync(changed)
        assert f"{kind[:-1]} 1, uuid {changed[kind][0]['uuid']}: {field}: " in sync.output.err
        assert Program.objects.filter(title="History II").exists()
        if "uuid" not in change:
            changed["programs"][1]["title"] = "History"
            with pytest.raises(CommandError):
                sync(changed)
            assert rows() == before

    @pytest.mark.parametrize("item", [None, 7, "x", [], {}], ids=repr)
    def test_an_item_that_is_not_an_object(self, item, catalog, sync):
        with pytest.raises(CommandError):
            sync({"programs": [*catalog["programs"], item], "pathways": []})
        assert "program 3, uuid None: " in sync.output.err
        assert Program.objects.count() == 2

    def test_a_repeated_uuid(self, catalog, sync):
        again = {**catalog["programs"][0], "title": "Again"}
        with pytest.raises(CommandError):
            sync({"programs": [*catalog["programs"], again], "pathways": []})
        assert 'uuid: ["Another item has this uuid."]' in sync.output.err
        assert Program.objects.get(uuid=again["uuid"]).title == "Statistics"

    def test_a_pathway_of_an_unknown_program(self, catalog, sync):
        unknown = program_item()
        catalog["pathways"].append(pathway_item(catalog["programs"][1], unknown, name="Partly known"))
        with pytest.raises(CommandError):
            sync(catalog)
        assert f"programs: {unknown['uuid']} is not in the catalog" in sync.output.err
        assert [program.title for program in Pathway.objects.get(name="Partly known").programs.all()] == ["History"]


def test_a_run_that_fails_changes_nothing():
    def broken():
        raise DatabaseError("gone")
        yield

    with pytest.raises(DatabaseError):
        synchronize(site=Site.objects.get_current(), programs=[program_item()], pathways=broken())
    assert not Program.objects.exists()
