"""Synchronizations next to learners' clicks, each other, and staff."""

import json
import os
from contextlib import nullcontext
from functools import partial

import pytest
from django.contrib.sites.models import Site
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.urls import reverse

from credit_pathways import api
from credit_pathways.catalog.sync import synchronize
from credit_pathways.models import Pathway, Program, UserCreditPathway
from tests import factories
from tests.support.catalog_items import pathway_item, program_item
from tests.support.database import interrupted
from tests.support.threads import run_concurrently, run_together

pytestmark = pytest.mark.django_db(transaction=True)

ROW_LOCKS = [
    pytest.mark.skipif(not connection.features.has_select_for_update, reason="SQLite has one writer at a time"),
    pytest.mark.skipif(os.environ.get("TEST_ISOLATION_LEVEL") == "serializable", reason="reading locks rows too"),
]

PROGRAMS = [program_item() for _number in range(30)]
PATHWAYS = [pathway_item(*PROGRAMS) for _number in range(30)]


def sync(name, **values):
    """Synchronize a catalog whose rows all have this name."""
    return synchronize(
        site=Site.objects.get_current(),
        programs=[{**item, "title": name} for item in PROGRAMS],
        pathways=[{**item, "name": name, **values} for item in PATHWAYS],
    )


def names():
    """Return the distinct names of the rows."""
    return {*Program.objects.values_list("title", flat=True), *Pathway.objects.values_list("name", flat=True)}


@pytest.mark.parametrize("transaction_of_the_caller", [nullcontext, pytest.param(transaction.atomic, marks=ROW_LOCKS)])
def test_a_learner_requests_credit(transaction_of_the_caller, settings, learner):
    """Inside a transaction of the caller, the app does not try again, so that each deadlock is an error."""
    settings.CREDIT_PATHWAYS_DELIVERY = "celery"  # sending the emails would take most of the time
    sync("0")
    programs, pathways = [*Program.objects.all()], [*Pathway.objects.all()]

    def click():
        for number, program in enumerate(programs):
            chosen = [pathways[number - 10], pathways[number], pathways[number - 20]]
            with transaction_of_the_caller():
                api.request_credit(user=learner, program=program, pathways=chosen)

    run_together(click, lambda: [sync(str(number)) for number in range(1, 6)])
    assert names() == {"5"}
    assert UserCreditPathway.objects.count() == len(programs) * 3


@pytest.mark.skipif("connection.vendor != 'mysql'", reason="elsewhere, new rows do not wait for what they reference")
def test_a_click_locks_all_of_its_pathways_before_the_program(learner, program):
    """A synchronization that has changed one of the pathways, and waits for the program, would be a deadlock."""
    pathways = factories.PathwayFactory.create_batch(3, programs=[program], name="old")
    rename = Pathway.objects.all().update
    with interrupted("INSERT INTO", UserCreditPathway, before=partial(rename, name="new")):
        api.request_credit(user=learner, program=program, pathways=reversed(pathways))
    assert set(Pathway.objects.values_list("name", flat=True)) == {"old"}


def test_two_synchronizations():
    for _time in range(3):
        run_together(partial(sync, "A"), partial(sync, "B"))
        assert len(names()) == 1
        Pathway.objects.all().delete()
        Program.objects.all().delete()


def test_nothing_changes_after_staff_have_chosen_manage_here(admin_client):
    def manage_here():
        for pk in Pathway.objects.values_list("pk", flat=True):
            admin_client.post(reverse("admin:credit_pathways_pathway_manage_here", args=[pk]))
            seen[pk] = values(pk)

    def values(pk):
        row = Pathway.objects.get(pk=pk)
        return row.name, row.is_synced, row.programs.count()

    for _time in range(3):
        sync("A")
        seen = {}
        run_together(manage_here, partial(sync, "A", programs=[]))
        assert seen == {pk: values(pk) for pk in seen}
        assert len(seen) == len(PATHWAYS)
        Pathway.objects.update(is_synced=True)


@pytest.fixture
def delete_during_sync(monkeypatch):
    """Return a function that takes programs. Staff delete one of them during each try of a synchronization."""
    links, programs = Pathway.programs.through.objects, []
    bulk_create = links.bulk_create

    def delete_first(rows):
        if programs:
            run_concurrently(1, programs.pop(0).delete)
        return bulk_create(rows)

    monkeypatch.setattr(links, "bulk_create", delete_first)
    return programs.extend


class TestStaffDeletePrograms:
    """They delete programs that are managed here, after the synchronization has read them."""

    pytestmark = ROW_LOCKS

    def test_the_synchronization_begins_again(self, delete_during_sync):
        kept, gone = factories.ProgramFactory.create_batch(2)
        item = pathway_item({"uuid": str(kept.uuid)}, {"uuid": str(gone.uuid)})
        delete_during_sync([gone])
        result = synchronize(site=Site.objects.get_current(), programs=[{}], pathways=[item])
        created = f"pathway {item['uuid']} created: Master"
        assert result.changes == [created, f"pathway {item['uuid']} linked to program {kept.uuid}"]
        assert len(result.problems) == 2
        assert result.problems[1].endswith(f"{gone.uuid} is not in the catalog")

    def test_it_changes_nothing_if_that_happens_again(self, delete_during_sync, tmp_path):
        programs = factories.ProgramFactory.create_batch(2)
        item = pathway_item(*({"uuid": str(program.uuid)} for program in programs))
        delete_during_sync(programs)
        file = tmp_path / "catalog.json"
        file.write_text(json.dumps({"programs": [program_item()], "pathways": [item]}))
        with pytest.raises(CommandError, match=r"Nothing was changed\. Run the command again\."):
            call_command("sync_catalog", file=file)
        assert (Program.objects.count(), Pathway.objects.count()) == (0, 0)
