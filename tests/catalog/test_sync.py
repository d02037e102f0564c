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
        out = sync({"programs": catalog["programs"][1:], "pathways": []})
        assert {status for *_row, status in [*rows()[0], *rows()[1]]} == {"retired"}
        assert f"program {gone.uuid} retired: Statistics" in out
        assert gone.pathways.count() == 2

    def test_does_not_retire_a_deleted_program(self, sync):
        factories.ProgramFactory(status="deleted", is_synced=True)
        assert "0 changes." in sync({"programs": [], "pathways": []})

    def test_restores_items_that_return(self, catalog, sync):
        sync(catalog)
        before = rows()
        sync({"programs": catalog["programs"][1:], "pathways": []})
        assert rows() != before
        sync(catalog)
        assert rows() == before

    @pytest.mark.parametrize("programs", [[], [{"title": "Statistics", "status": "active"}]], ids=["none", "no uuid"])
    def test_a_catalog_without_programs_changes_nothing(self, programs, catalog, sync):
        sync(catalog)
        before = rows()
        with pytest.raises(CommandError, match=r"Nothing was changed.*no programs.*Check what the source may see"):
            sync({"programs": programs, "pathways": catalog["pathways"]})
        assert rows() == before

    @pytest.mark.parametrize(
        "values", [{"title": float("nan")}, {"title": 7}, {"uuid": True}, {"uuid": 5}, {"title": True}], ids=str
    )
    def test_numbers_are_not_text(self, values, catalog, sync):
        catalog["programs"][0].update(values)
        with pytest.raises(CommandError, match="problem"):
            sync(catalog)
        assert list(Program.objects.values_list("title", flat=True)) == ["History"]

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
            with django_assert_num_queries(6 + 2):  # and the savepoint
                assert sync(data) == "0 changes.\n"

    def test_a_dry_run_has_the_same_output_and_changes_nothing(self, catalog, sync):
        out = sync(catalog, dry_run=True)
        assert "6 changes, not made (dry run)." in out
        assert rows() == ([], [], [])
        assert sync(catalog).splitlines()[:-1] == out.splitlines()[:-1]

    def test_a_dry_run_tells_retirements_from_updates(self, catalog, sync):
        factories.PathwayFactory(uuid=catalog["pathways"][0]["uuid"], name="Ours")
        sync(catalog)
        gone, kept = catalog["programs"]
        jobs = catalog["pathways"][1]
        jobs.update(org_name="Southfield", description="Write to us.", status="retired")
        kept.update(title="History II", status="unpublished")
        catalog["programs"].remove(gone)
        before = rows()
        out = sync(catalog, dry_run=True)
        assert sorted(out.splitlines()) == sorted([
            f"program {kept['uuid']} updated (title, status): History II",
            f"program {gone['uuid']} retired: Statistics",
            f"pathway {jobs['uuid']} retired: Jobs",
            f"pathway {catalog['pathways'][0]['uuid']} skipped, because it is managed in the admin: Ours",
            "3 changes (2 retired), not made (dry run). 1 item skipped.",
        ])  # fmt: skip
        assert rows() == before
        assert sync(catalog).replace(").", "), not made (dry run).") == out


def snapshot(*rows):
    """Return all values of the rows, and their links."""
    queries = [type(row).objects.filter(pk=row.pk).values() for row in rows]
    links = Pathway.programs.through.objects.order_by("pathway", "program").values_list("pathway", "program")
    return [query.get() for query in queries], list(links)


class TestRowsManagedHere:
    """Rows that no synchronization created, or for which staff have chosen *Manage here*."""

    def test_a_synchronization_marks_the_rows_it_creates(self, catalog, sync):
        sync(catalog)
        assert {row.is_synced for model in (Program, Pathway) for row in model.objects.all()} == {True}

    def test_they_are_not_retired(self, sync):
        program = factories.ProgramFactory()
        pathway = factories.PathwayFactory(programs=[program])
        before = snapshot(program, pathway)
        assert sync({"programs": [], "pathways": []}) == "0 changes.\n"
        assert snapshot(program, pathway) == before

    def test_items_that_match_them_are_reported_and_skipped(self, catalog, sync):
        ours = factories.ProgramFactory(title="Ours")
        pathway = factories.PathwayFactory(name="Master, ours", programs=[ours])
        program = factories.ProgramFactory(title="Statistics, ours")
        catalog["programs"][0]["uuid"] = str(program.uuid)
        catalog["pathways"] = [pathway_item(*catalog["programs"], program_item(), uuid=str(pathway.uuid))]
        before = snapshot(program, pathway)
        out = sync(catalog)
        assert out == (
            f"program {catalog['programs'][1]['uuid']} created: History\n"
            f"program {program.uuid} skipped, because it is managed in the admin: Statistics, ours\n"
            f"pathway {pathway.uuid} skipped, because it is managed in the admin: Master, ours\n"
            "1 change. 2 items skipped.\n"
        )
        assert sync.output.err == ""
        assert snapshot(program, pathway) == before

    def test_an_invalid_item_that_matches_one_is_still_a_problem(self, sync):
        pathway = factories.PathwayFactory()
        before = snapshot(pathway)
        with pytest.raises(CommandError):
            sync({"programs": [], "pathways": [pathway_item(uuid=str(pathway.uuid), email="nobody")]})
        assert sync.output.out == "0 changes.\n"
        assert snapshot(pathway) == before

    def test_a_synced_pathway_can_be_linked_to_one(self, sync):
        program = factories.ProgramFactory()
        sync({"programs": [], "pathways": [pathway_item({"uuid": str(program.uuid)})]})
        assert Pathway.objects.get().programs.get() == program

    def test_a_row_of_another_site_is_another_row(self, catalog, sync):
        factories.ProgramFactory(site=factories.SiteFactory(), uuid=catalog["programs"][0]["uuid"])
        assert "skipped" not in sync(catalog)
        assert Program.objects.filter(is_synced=True).count() == 2

    def test_a_row_that_becomes_managed_here_during_the_run_is_not_updated(self, catalog, sync, monkeypatch):
        sync(catalog)
        row = Pathway.objects.get(name="Master")
        bulk_create = Pathway.objects.bulk_create

        def manage_here_first(rows):
            Pathway.objects.filter(pk=row.pk).update(is_synced=False, email="new@northfield.example")
            return bulk_create(rows)

        monkeypatch.setattr(Pathway.objects, "bulk_create", manage_here_first)
        catalog["pathways"][0].update(email="old@northfield.example", programs=[])
        sync(catalog)
        assert (row.programs.count(), Pathway.objects.get(pk=row.pk).email) == (1, "new@northfield.example")


NEXT_STEPS = {"description": "Apply by June.", "destination_url": "https://northfield.example/next"}


def next_steps():
    return Pathway.objects.values_list("description", "destination_url").get()


class TestNextSteps:
    @pytest.fixture
    def item(self, sync):
        """The item of a pathway that has been copied with its next steps."""
        item = pathway_item(**NEXT_STEPS)
        sync({"programs": [], "pathways": [item]})
        assert next_steps() == tuple(NEXT_STEPS.values())
        return item

    def test_they_are_updated(self, item, sync):
        changed = {**item, "description": "Apply by July.", "destination_url": "http://northfield.example:8080/é?a=b#c"}
        out = sync({"programs": [], "pathways": [changed]})
        assert f"pathway {item['uuid']} updated (description, destination_url): Master" in out
        assert next_steps() == ("Apply by July.", "http://northfield.example:8080/é?a=b#c")

    @pytest.mark.parametrize("value", [None, "", " "], ids=repr)
    def test_null_and_blank_clear_them(self, value, item, sync):
        sync({"programs": [], "pathways": [{**item, "description": value, "destination_url": value}]})
        assert next_steps() == ("", "")

    @pytest.mark.parametrize("name", NEXT_STEPS)
    def test_a_source_without_a_field_leaves_it_as_it_is(self, name, item, sync):
        del item[name]
        assert sync({"programs": [], "pathways": [item]}) == "0 changes.\n"
        assert next_steps() == tuple(NEXT_STEPS.values())

    def test_a_new_row_from_a_source_without_the_fields(self, sync):
        sync({"programs": [], "pathways": [pathway_item()]})
        assert next_steps() == ("", "")

    def test_the_longest_address(self, item, sync):
        address = "https://northfield.example/".ljust(2000, "x")
        sync({"programs": [], "pathways": [{**item, "destination_url": address}]})
        assert next_steps()[1] == address


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
    ({"description": "a\0b"}, "description"),
    ({"description": "a\ud800b"}, "description"),
    ({"description": ["Apply"]}, "description"),
    *(
        ({"destination_url": address}, "destination_url")
        for address in (
            "javascript:alert(1)",
            "javascript://northfield.example/%0aalert(1)",
            "ftp://northfield.example/",
            "data:text/html,next",
            "mailto:r@northfield.example",
            "/next",
            "//northfield.example/next",
            "northfield.example",
            "https://",
            "https:///next",
            "https://a b.example/",
            "https://a.example/\0",
            "https://a.example/\ud800",
            "https://[::1/",
            "https://a.example/\njavascript:alert(1)",
            "https://northfield.example/".ljust(2001, "x"),
            7,
            True,
            {},
        )
    ),
]


class TestInvalidItems:
    @pytest.mark.parametrize(
        ("kind", "change", "field"),
        [("programs", *row) for row in INVALID_PROGRAMS] + [("pathways", *row) for row in INVALID_PATHWAYS],
        ids=lambda value: str(value)[:70],
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


def test_a_run_that_fails_changes_nothing(monkeypatch):
    def fail(links):
        raise DatabaseError("gone")

    monkeypatch.setattr(Pathway.programs.through.objects, "bulk_create", fail)
    with pytest.raises(DatabaseError):
        synchronize(site=Site.objects.get_current(), programs=[program_item()], pathways=[pathway_item()])
    assert (Program.objects.count(), Pathway.objects.count()) == (0, 0)
