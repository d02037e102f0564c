"""Every command works in every terminal, and through ``call_command`` with plain strings."""

import json
import os
import signal
import stat
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from credit_pathways.models import Program
from tests import factories
from tests.support.catalog_items import program_item

ROOT = Path(__file__).parents[2]
TITLE = "Статистика 統計 🎓 \x1b[31m"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The environment of a demo whose catalog file has a program with letters that few encodings have."""
    folder = tmp_path_factory.mktemp("demo")
    environment = {
        **os.environ,
        "DEMO_DATABASE": str(folder / "db.sqlite3"),
        "DJANGO_SETTINGS_MODULE": "demo.settings",
        "PYTHONIOENCODING": "cp1252",
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], env=environment, cwd=ROOT, check=True)
    items = {"programs": [program_item(title=TITLE), {"uuid": "Ж\x1b[31m"}], "pathways": []}
    (folder / "catalog.json").write_text(json.dumps(items), encoding="utf-8")
    environment["CATALOG"] = str(folder / "catalog.json")
    return environment


def manage(demo, *command, **options):
    return subprocess.run([sys.executable, "manage.py", *command], env=demo, cwd=ROOT, check=False, **options)


class TestEncoding:
    def test_output_is_utf_8_and_has_no_control_characters(self, demo):
        done = manage(demo, "sync_catalog", "--file", demo["CATALOG"], "--dry-run", capture_output=True)
        assert done.returncode == 1
        assert "created: Статистика 統計 🎓 [31m\n" in done.stdout.decode()
        assert "program 2, uuid Ж [31m: " in done.stderr.decode()
        assert "Traceback" not in done.stderr.decode()

    def test_the_export_is_utf_8(self, demo):
        manage(demo, "load_demo", stdout=subprocess.DEVNULL)
        done = manage(demo, "export_credit_requests", capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")
        lines = done.stdout.decode("utf-8-sig").splitlines()
        assert len(lines) > 1
        assert lines[0].startswith("id,username,")

    def test_the_streams_of_the_process_are_left_as_they_were(self, db, monkeypatch):
        with Path(os.devnull).open("w", encoding="cp1252", errors="strict") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            call_command("deliver_pending", older_than=5)
            assert (stream.encoding, stream.errors) == ("cp1252", "strict")


class TestStrings:
    """``call_command`` parses required options only."""

    def test_sync_catalog(self, db, tmp_path, capsys):
        file = tmp_path / "catalog.json"
        file.write_text(json.dumps({"programs": [program_item()], "pathways": []}))
        call_command("sync_catalog", file=str(file))
        assert Program.objects.exists()

    def test_deliver_pending(self, db):
        out = StringIO()
        call_command("deliver_pending", older_than="60", stdout=out)
        assert out.getvalue() == "0 requests: 0 sent, 0 failed.\n"

    def test_export(self, program, pathway, tmp_path):
        row = factories.UserCreditPathwayFactory(program=program, pathway=pathway)
        path = tmp_path / "requests.csv"
        call_command(
            "export_credit_requests",
            since="2020-01-01",
            until="2100-01-01",
            program=str(program.uuid),
            output=str(path),
        )
        assert path.read_text(encoding="utf-8-sig").splitlines()[1].startswith(f"{row.pk},")

    @pytest.mark.parametrize(
        ("command", "options", "flag"),
        [
            ("deliver_pending", {"older_than": "soon"}, "--older-than"),
            ("export_credit_requests", {"since": "yesterday"}, "--since: 'yesterday' is not a date or time"),
            ("export_credit_requests", {"program": "statistics"}, "--program"),
        ],
    )
    def test_invalid_strings_are_named(self, db, command, options, flag):
        with pytest.raises(CommandError, match=flag):
            call_command(command, **options)


class TestOutput:
    @pytest.mark.parametrize(
        "command",
        [("export_credit_requests",), ("sync_catalog", "--file", "CATALOG"), ("deliver_pending", "--older-than=1")],
    )
    def test_a_full_disk_is_reported(self, demo, command):
        with Path("/dev/full").open("wb") as full:
            command = [demo.get(word, word) for word in command]
            done = manage(demo, *command, stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 1
        assert "CommandError: The output cannot be written: No space left on device." in done.stderr.decode()
        assert "Traceback" not in done.stderr.decode()

    def test_a_closed_pipe_is_not_an_error(self, demo):
        read, write = os.pipe()
        os.close(read)
        done = manage(demo, "deliver_pending", "--older-than=1", stdout=write, stderr=subprocess.PIPE)
        os.close(write)
        assert (done.returncode, done.stderr) == (0, b"")


class TestExportToAFile:
    @pytest.fixture
    def row(self, program, pathway):
        return factories.UserCreditPathwayFactory(program=program, pathway=pathway)

    def export(self, path):
        call_command("export_credit_requests", output=path)

    def test_a_link_is_kept(self, row, tmp_path):
        target, link = tmp_path / "target.csv", tmp_path / "link.csv"
        link.symlink_to(target)
        for _time in range(2):
            self.export(link)
            assert link.is_symlink()
            assert str(row.pk) in target.read_text()
        assert sorted(tmp_path.iterdir()) == [link, target]

    def test_a_device_is_kept(self, row):
        self.export("/dev/null")
        assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
        with pytest.raises(CommandError, match="/dev/full cannot be written: No space left on device"):
            self.export("/dev/full")

    def test_a_pipe_gets_the_rows(self, row, tmp_path):
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        with subprocess.Popen(["/bin/cat", pipe], stdout=subprocess.PIPE) as reader:
            self.export(pipe)
            rows = reader.stdout.read().decode("utf-8-sig")
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert f"\n{row.pk}," in rows

    def test_the_handlers_of_signals_are_restored(self, row, tmp_path):
        signals = (signal.SIGTERM, signal.SIGHUP)
        before = [signal.getsignal(number) for number in signals]
        self.export(tmp_path / "requests.csv")
        assert [signal.getsignal(number) for number in signals] == before
