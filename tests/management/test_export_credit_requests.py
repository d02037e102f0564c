"""``manage.py export_credit_requests``."""

import csv
import os
import subprocess
import sys
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from credit_pathways.management.commands import export_credit_requests
from credit_pathways.models import UserCreditPathway
from tests import factories


@pytest.fixture
def rows(program, pathway):
    """One request per year, the last without a program."""
    requests = []
    for year in (2023, 2024, 2025):
        row = factories.UserCreditPathwayFactory(program=program if year < 2025 else None, pathway=pathway)
        UserCreditPathway.objects.filter(pk=row.pk).update(created=datetime(year, 1, 1, tzinfo=UTC))
        requests.append(row)
    return requests


def exported(*arguments):
    out = StringIO()
    call_command("export_credit_requests", *arguments, stdout=out)
    assert out.getvalue().startswith("\ufeff")
    return list(csv.DictReader(StringIO(out.getvalue().removeprefix("\ufeff"))))


def ids(*arguments):
    return [int(row["id"]) for row in exported(*arguments)]


def test_exports_all_requests(rows):
    assert ids() == [row.pk for row in rows]
    assert exported()[0]["institution"] == "Northfield University"


def test_booleans_and_null(rows):
    for row, completed in zip(rows, (True, False, None), strict=True):
        UserCreditPathway.objects.filter(pk=row.pk).update(completed=completed)
    assert [row["completed"] for row in exported()] == ["true", "false", ""]


def test_filters(rows, program, settings):
    first, second, third = (row.pk for row in rows)
    assert ids("--since", "2024-01-01") == [second, third]
    assert ids("--until", "2024-01-01") == [first]
    assert ids("--since", "2024-01-01T00:00:01Z") == [third]
    assert ids("--since", "2023-06-01", "--until", "2024-06-01") == [second]
    assert ids("--program", program.uuid.hex) == [first, second]
    settings.TIME_ZONE = "America/New_York"
    assert ids("--until", "2023-12-31T19:00:00") == [first]
    assert ids("--until", "2023-12-31T19:00:01") == [first, second]


@pytest.mark.parametrize("text", ["yesterday", "2024-02-30", "2024-13-01T00:00", "0001-01-01T00:00+14:00", ""])
def test_invalid_times(text, db):
    with pytest.raises(CommandError, match=r"--since.*is not a date or time"):
        exported("--since", text)


def test_unknown_programs(rows):
    with pytest.raises(CommandError, match="--program"):
        exported("--program", "statistics")
    with pytest.raises(CommandError, match="there is no program"):
        exported("--program", str(factories.uuid.uuid4()))


def test_a_file_is_replaced_when_complete(rows, tmp_path):
    path = tmp_path / "requests.csv"
    path.write_text("yesterday")
    call_command("export_credit_requests", "--output", path)
    assert [int(row["id"]) for row in csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())] == [
        row.pk for row in rows
    ]
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o077 == 0


def test_an_interrupted_export_leaves_the_file_unchanged(rows, tmp_path, monkeypatch):
    def interrupted(requests):
        yield (1,) * 10
        raise KeyboardInterrupt

    path = tmp_path / "requests.csv"
    path.write_text("yesterday")
    monkeypatch.setattr(export_credit_requests, "export_rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        call_command("export_credit_requests", "--output", path)
    assert path.read_text() == "yesterday"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_terminated_export_leaves_no_file(name, tmp_path):
    """Containers are stopped with SIGTERM. A dropped connection sends SIGHUP."""
    script = """
import os, signal, sys, django
django.setup()
from django.core.management import call_command
from credit_pathways.management.commands import export_credit_requests
def rows(requests):
    yield (1,) * 10
    os.kill(os.getpid(), signal.Signals[sys.argv[2]])
    yield (2,) * 10
export_credit_requests.export_rows = rows
call_command("export_credit_requests", "--output", sys.argv[1])
"""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "demo.settings"}
    path = tmp_path / "requests.csv"
    done = subprocess.run(
        [sys.executable, "-c", script, path, name],
        env=environment,
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["missing/requests.csv", "."])
def test_an_unwritable_file(name, rows, tmp_path):
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export_credit_requests", "--output", tmp_path / name)
    assert not list(tmp_path.iterdir())
