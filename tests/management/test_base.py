"""Every command works in every terminal, and through ``call_command`` with plain strings."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from credit_pathways.management.commands import export_credit_requests
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

    def test_flags(self, db, tmp_path, capsys):
        file = tmp_path / "catalog.json"
        file.write_text(json.dumps({"programs": [program_item()], "pathways": []}))
        call_command("sync_catalog", file=file, dry_run="yes")
        assert not Program.objects.exists()
        call_command("sync_catalog", file=file, dry_run="False")
        assert Program.objects.exists()

    def test_record_bounces(self, db, tmp_path, capsys):
        file = tmp_path / "report.eml"
        file.write_text("Subject: hello\n\n")
        call_command("record_bounces", files=str(file))
        assert "1 message: 0 recorded, 0 unchanged, 1 skipped, 0 failed." in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("command", "options", "flag"),
        [
            ("deliver_pending", {"older_than": "soon"}, "--older-than"),
            ("export_credit_requests", {"since": "yesterday"}, "--since: 'yesterday' is not a date or time"),
            ("export_credit_requests", {"program": "statistics"}, "--program"),
            ("export_credit_requests", {"until": "9999-12-31T23:59:59"}, "--until"),
            ("sync_catalog", {"from_credentials": "false"}, "Name one source"),
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
        assert "The output cannot be written: No space left on device." in done.stderr.decode()
        assert "Traceback" not in done.stderr.decode()

    def test_a_closed_pipe_is_not_an_error(self, demo):
        read, write = os.pipe()
        os.close(read)
        done = manage(demo, "deliver_pending", "--older-than=1", stdout=write, stderr=subprocess.PIPE)
        os.close(write)
        assert (done.returncode, done.stderr) == (0, b"")


class _BrokenPipe(StringIO):
    """A pipe whose reader has gone."""

    def write(self, text):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


class TestReaderThatLeavesEarly:
    """As ``head`` does. The work is finished, and the exit status is what it would have been."""

    @pytest.fixture
    def call(self, monkeypatch):
        """Return a function that calls a command. pytest would undo a patch of the fixture before the test."""

        def call(*arguments, **options):
            monkeypatch.setattr(sys, "stdout", _BrokenPipe())
            call_command(*arguments, **options)

        return call

    @pytest.mark.django_db(transaction=True)
    def test_deliver_pending(self, call, learner, program, pathway, relay):
        factories.ProgramCertRecordFactory(user=learner, program=program)
        rows = factories.UserCreditPathwayFactory.create_batch(3, user=learner, program=program, pathway=pathway)
        call("deliver_pending", older_than=0)
        assert len(relay.messages) == len(rows)

    def test_sync_catalog(self, call, db, tmp_path):
        file = tmp_path / "catalog.json"
        file.write_text(json.dumps({"programs": [program_item(), {}], "pathways": []}))
        with pytest.raises(CommandError, match="1 problem"):
            call("sync_catalog", file=file)
        assert Program.objects.count() == 1

    def test_the_export_stops(self, call, db, monkeypatch):
        written = []
        rows = ((number,) for number in range(1000) if not written.append(number))
        monkeypatch.setattr(export_credit_requests, "export_rows", lambda _requests: rows)
        call("export_credit_requests")
        assert len(written) == 1


class _FullDisk(StringIO):
    """A file on a disk that is full."""

    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left")


class _Log:
    """What Celery's workers have in place of the standard streams."""

    def __init__(self):
        self.lines = []

    def write(self, text):
        self.lines.append(text)


class TestCallers:
    @pytest.mark.django_db(transaction=True)
    def test_a_celery_worker(self, learner, program, pathway, relay, monkeypatch):
        factories.ProgramCertRecordFactory(user=learner, program=program)
        factories.UserCreditPathwayFactory.create_batch(3, user=learner, program=program, pathway=pathway)
        stream = _Log()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        call_command("deliver_pending", older_than=0)
        assert (len(relay.messages), len(stream.lines)) == (3, 4)

    def test_a_command_that_passes_its_output_on(self, db, tmp_path, monkeypatch):
        file = tmp_path / "catalog.json"
        file.write_text(json.dumps({"programs": [program_item(title="統計")], "pathways": []}))
        with (tmp_path / "out").open("w", encoding="cp1252") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            call_command("sync_catalog", file=file, stdout=OutputWrapper(stream))
        assert "統計" in (tmp_path / "out").read_text(encoding="utf-8")

    def test_an_output_that_cannot_be_written(self, db):
        with pytest.raises(CommandError, match=r"The output cannot be written: No space left\."):
            call_command("deliver_pending", older_than=0, stdout=_FullDisk())

    def test_a_given_stream_of_another_encoding(self, db, tmp_path):
        file = tmp_path / "catalog.json"
        file.write_text(json.dumps({"programs": [program_item(title="é 統")], "pathways": []}))
        with (tmp_path / "out").open("w", encoding="latin-1") as stream:
            call_command("sync_catalog", file=file, stdout=stream)
        assert "é \\u7d71" in (tmp_path / "out").read_text(encoding="latin-1")


class TestClosedDescriptors:
    @pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
    def test_the_work_is_done(self, demo, closed):
        for command in ("deliver_pending --older-than 100000", "sync_catalog --dry-run --file $CATALOG"):
            done = manage_in_shell(demo, f"{command} {closed}")
            assert (done.returncode, "Traceback" in done.stderr) == (command.startswith("sync"), False)
        done = manage_in_shell(demo, f"export_credit_requests --output $CATALOG.csv {closed}")
        assert (done.returncode, Path(f"{demo['CATALOG']}.csv").exists()) == (0, True)

    def test_standard_input(self, demo):
        done = manage_in_shell(demo, "record_bounces <&-")
        assert (done.returncode, "Traceback" in done.stderr) == (75, False)


def manage_in_shell(demo, command):
    script = f'"{sys.executable}" manage.py {command}'
    return subprocess.run(["/bin/sh", "-c", script], env=demo, cwd=ROOT, check=False, capture_output=True, text=True)


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

    def test_a_file_that_is_open_is_not_replaced(self, demo, tmp_path):
        path = tmp_path / "log.csv"
        path.write_text("before\n")
        manage_in_shell(demo, f"export_credit_requests --output /dev/stdout >>{path}")
        assert path.read_text(encoding="utf-8").startswith("before\n\ufeffid,")

    @pytest.mark.parametrize("name", ["loop", "a\0b", "a\ud800"], ids=ascii)
    def test_paths_that_cannot_be_written(self, row, tmp_path, name):
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        with pytest.raises(CommandError, match="cannot be written"):
            self.export(f"{tmp_path}/{name}")

    def test_a_file_in_memory_is_replaced(self, row):
        with TemporaryDirectory(dir="/dev/shm") as folder:
            path = Path(folder, "requests.csv")
            for _time in range(2):
                self.export(path)
            assert path.read_text(encoding="utf-8").count("\ufeff") == 1

    def test_a_long_name(self, row, tmp_path):
        self.export(tmp_path / f"{'x' * 251}.csv")
        assert len(list(tmp_path.iterdir())) == 1

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
