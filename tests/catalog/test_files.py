"""``sync_catalog --file``."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from credit_pathways.models import Pathway, Program
from tests import factories
from tests.support.catalog_items import pathway_item, program_item

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path_type", [Path, str])
def test_accepts_pages_as_well_as_lists(tmp_path, path_type):
    programs = [program_item(), program_item()]
    catalog = {"programs": programs, "pathways": [pathway_item(*programs), pathway_item()]}
    file = tmp_path / "catalog.json"
    pages = {
        kind: {"count": len(items), "next": None, "previous": None, "results": items} for kind, items in catalog.items()
    }
    file.write_text(json.dumps(pages), encoding="utf-8")
    call_command("sync_catalog", file=path_type(file))
    assert (Program.objects.count(), Pathway.objects.count()) == (2, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a complete catalog"),
        ("\ud800", "is not a complete catalog"),
        ("[" * 100_000, "is not a complete catalog"),
        ("[]", "needs"),
        ("{}", "needs"),
        ('{"programs": [], "pathways": 7}', "needs"),
        ('{"programs": {"count": 0}, "pathways": []}', "needs"),
        ('{"programs": {"results": [], "next": "https://x/?page=2"}, "pathways": []}', "more pages"),
        ('{"programs": {"results": [], "previous": "https://x/?page=1"}, "pathways": []}', "other pages"),
        ('{"programs": {"results": [], "count": 12}, "pathways": []}', "other pages"),
    ],
    ids=lambda text: text[:30].encode("unicode_escape").decode(),
)
def test_an_invalid_file(text, message, tmp_path):
    factories.ProgramFactory()
    file = tmp_path / "catalog.json"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(CommandError, match=message):
        call_command("sync_catalog", file=file)
    assert Program.objects.get().status == "active"


def test_a_file_with_a_byte_order_mark(tmp_path):
    file = tmp_path / "catalog.json"
    file.write_text(json.dumps({"programs": [program_item()], "pathways": []}), encoding="utf-8-sig")
    call_command("sync_catalog", file=file)
    assert Program.objects.exists()


def test_a_missing_file(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("sync_catalog", file=tmp_path / "missing.json")
