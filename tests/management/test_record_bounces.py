"""``manage.py record_bounces``."""

import os
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError, connection

from credit_pathways import api
from credit_pathways.delivery.message import TOKEN_HEADER
from credit_pathways.management.commands.record_bounces import Command
from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support import reports, sessions

pytestmark = pytest.mark.django_db(transaction=True)

SEPARATOR = b"From MAILER-DAEMON Mon Nov  2 10:00:00 2026\n"
UNCHANGED = "nothing to record (unknown, not sent, or already bounced)"
FAREWELL = "{} messages: {} recorded, {} unchanged, {} skipped, {} failed."


@pytest.fixture
def send(learner, program, pathway, relay, settings):
    """Return a function that sends the email of a new request, and returns both."""
    settings.CREDIT_PATHWAYS_LEARNER_EMAILS = "none"
    factories.ProgramCertRecordFactory(user=learner, program=program)

    def request():
        row = factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway)
        api.deliver(row)
        return row, relay.messages[-1]

    return request


@pytest.fixture
def save(tmp_path):
    """Return a function that writes messages to a file, an mbox if there are several, and returns its path."""

    def write(*sources):
        path = tmp_path / f"file{len(list(tmp_path.iterdir()))}"
        path.write_bytes(
            sources[0] if len(sources) == 1 else b"".join(SEPARATOR + source + b"\n" for source in sources)
        )
        return str(path)

    return write


@pytest.fixture
def pipe(monkeypatch):
    """Return a function that runs the command with these bytes as standard input."""

    def run(source, *arguments):
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(source), encoding="ascii"))
        call_command("record_bounces", *arguments)

    return run


def table():
    return {row["id"]: row for row in UserCreditPathway.objects.order_by("pk").values()}


def changed(before):
    """Return the rows that differ, without what a bounce may change, and check that nothing else did."""
    after = table()
    assert after.keys() == before.keys()
    ids = [pk for pk, row in after.items() if row != before[pk]]
    for pk in ids:
        assert {name for name, value in after[pk].items() if value != before[pk][name]} == {
            "bounced_at",
            "bounce_reason",
        }
        assert after[pk]["status"] == "sent"
    return ids


@pytest.mark.parametrize("body", [True, False])
@pytest.mark.parametrize("build", reports.FORMATS)
def test_records_a_bounce(build, body, send, pipe, capsys, relay):
    (first, mail), _second = send(), send()
    before, emails = table(), len(relay.messages)
    pipe(build(mail, body=body))
    assert changed(before) == [first.pk]
    first.refresh_from_db()
    assert first.bounce_reason == reports.FORMATS[build]
    assert first.bounced_at.isoformat() == "2026-11-02T09:00:00+00:00"
    assert len(relay.messages) == emails
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"credit request {first.pk}: bounced",
        "1 message: 1 recorded, 0 unchanged, 0 skipped, 0 failed.",
    ]
    assert err == ""


@pytest.mark.usual_users
def test_only_the_learner_is_told(send, pipe, relay, settings, learner):
    del settings.CREDIT_PATHWAYS_LEARNER_EMAILS
    row, mail = send()
    relay.messages.clear()
    for _report in range(2):
        pipe(reports.postfix(mail))
    [email] = relay.messages
    assert email["To"] == learner.email
    assert TOKEN_HEADER not in email
    assert UserCreditPathway.objects.get(pk=row.pk).status == "sent"


def test_a_second_report_changes_nothing(send, pipe, capsys):
    row, mail = send()
    pipe(reports.postfix(mail))
    before = table()
    later = reports.exim(mail).replace(b"Date: Mon, 2 Nov", b"Date: Tue, 3 Nov")
    pipe(later)
    assert changed(before) == []
    out, err = capsys.readouterr()
    assert out.splitlines()[-2:] == [
        f"credit request {row.pk}: {UNCHANGED}",
        "1 message: 0 recorded, 1 unchanged, 0 skipped, 0 failed.",
    ]
    assert err == ""


@pytest.mark.parametrize("status", ["failed", None])
def test_a_request_that_was_not_sent_does_not_bounce(status, send, pipe, capsys):
    row, mail = send()
    rows = UserCreditPathway.objects.filter(pk=row.pk)
    rows.update(status=status) if status else rows.delete()
    before = table()
    pipe(reports.postfix(mail))
    assert changed(before) == []
    assert f"credit request {row.pk}: {UNCHANGED}" in capsys.readouterr().out


def hostile(mail, other):
    """Yield messages that are not about a bounce of ``mail``, though they resemble one."""
    token, other_token = mail[TOKEN_HEADER], other[TOKEN_HEADER]
    number, _colon, signature = token.partition(":")
    source = reports.postfix(mail)
    for forged in (f"{number}:{'A' * 43}", other_token.replace(other_token.partition(":")[2], signature), number):
        yield source.replace(token.encode(), forged.encode())
    for action in ("delayed", "relayed", "expanded", "delivered"):
        yield source.replace(b"Action: failed", f"Action: {action}".encode())
    yield from (reports.disposition_notification(mail), reports.abuse_report(mail))
    yield from (mail.as_bytes(), b"\x00", b"\xff\xfe" * 5000, "😀".encode() * 99, b"Subject: \x1b[31m\x07", b"\n\n")
    yield b"Content-Type: multipart/report; boundary*=idna''%ff\n\n"
    yield from (source[:length] for length in (50, 900, 1500))


def test_the_next_report_is_always_recorded(send, save, capsys):
    (_row, mail), (_other_row, other) = send(), send()
    for source in hostile(mail, other):
        row, good = send()
        before = table()
        paths = [save(source), save(source, reports.amazon_ses(good))]
        call_command("record_bounces", *paths)
        assert changed(before) == [row.pk]
        out, err = capsys.readouterr()
        assert out.splitlines() == [f"credit request {row.pk}: bounced", FAREWELL.format(3, 1, 0, 2, 0)]
        assert [line.split(": skipped: ")[0] for line in err.splitlines()] == [f"{path}, message 1" for path in paths]
        assert "northfield" not in err
        assert err.replace("\n", "").isprintable()


def test_another_requests_number_changes_neither(send, pipe):
    (_first, mail), (second, _mail) = send(), send()
    before = table()
    token = mail[TOKEN_HEADER]
    pipe(reports.postfix(mail).replace(token.encode(), f"{second.pk}:{token.partition(':')[2]}".encode()))
    assert changed(before) == []


def test_an_mbox(send, save, capsys):
    (first, mail), (second, other), (third, last) = send(), send(), send()
    digest = b"Subject: hello\n\nBody\n\n>From here on\n"
    before = table()
    path = save(reports.postfix(mail), digest, reports.exim(other), reports.exchange(last, body=False))
    call_command("record_bounces", path)
    assert changed(before) == [first.pk, second.pk, third.pk]
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == FAREWELL.format(4, 3, 0, 1, 0)
    assert err == f"{path}, message 2: skipped: not a delivery status notification\n"
    assert UserCreditPathway.objects.get(pk=second.pk).bounce_reason == "5.0.0 smtp; 550 No such person"


@pytest.mark.parametrize("beginning", [b"", b"\n", b"\r\n\n", b"\xef\xbb\xbf"], ids=ascii)
@pytest.mark.parametrize("line", [b"From x@y Mon Nov  2 07:00 2026\n", b"From - Mon Nov  2 07:00:00 2026 +0100\n"])
def test_other_mboxes(line, beginning, send, tmp_path):
    (first, mail), (second, other) = send(), send()
    before = table()
    path = tmp_path / "mbox"
    path.write_bytes(beginning + b"".join(line + source + b"\n" for source in map(reports.postfix, (mail, other))))
    call_command("record_bounces", str(path))
    assert changed(before) == [first.pk, second.pk]


def test_a_line_of_many_times(send, tmp_path):
    """Anybody can write to the address of bounces."""
    row, mail = send()
    path = tmp_path / "mbox"
    path.write_bytes(SEPARATOR + reports.postfix(mail) + b"\nFrom " + b"00:00 " * 200_000 + b"\n")
    call_command("record_bounces", str(path))
    row.refresh_from_db()
    assert row.bounced_at


@pytest.mark.parametrize("text", [b"From now on", b"\n\nFrom now on, this address is dead.\n\n"])
def test_lines_that_begin_with_from(text, send, save, pipe, capsys):
    """A mail server that pipes a message puts such a line before it, but does not quote those in the message."""
    (row, mail), (other, last) = send(), send()
    notice = reports.postfix(mail).replace(b"This is the mail system", text + b"\nThis is the mail system", 1)
    assert text in notice
    before = table()
    call_command("record_bounces", save(notice, reports.postfix(last)))
    assert changed(before) == [row.pk, other.pk]
    assert capsys.readouterr().out.splitlines()[-1] == FAREWELL.format(2, 2, 0, 0, 0)
    third, mail = send()
    pipe(SEPARATOR + reports.postfix(mail).replace(b"This is the mail system", text + b"\nThis is the mail system", 1))
    assert UserCreditPathway.objects.get(pk=third.pk).bounced_at


def test_a_report_about_a_pending_request_is_read_again(send, pipe, capsys):
    """The mail server accepted the email, but closed the connection before it said so."""
    row, mail = send()
    UserCreditPathway.objects.filter(pk=row.pk).update(status="pending")
    before = table()
    with pytest.raises(CommandError, match="Run the command again") as raised:
        pipe(reports.postfix(mail))
    assert (raised.value.returncode, changed(before)) == (75, [])
    assert f"credit request {row.pk}: still pending\n" in capsys.readouterr().err


@pytest.mark.usual_users
def test_learners_are_told_after_all_reports_were_read(send, save, relay, settings):
    settings.CREDIT_PATHWAYS_LEARNER_EMAILS = "failures"
    (_row, mail), (_other, last) = send(), send()
    relay.messages.clear()
    seen = []
    relay.on_data = lambda: (seen.append(UserCreditPathway.objects.filter(bounced_at=None).count()), connection.close())
    call_command("record_bounces", save(reports.postfix(mail), reports.postfix(last)))
    assert (seen, len(relay.messages)) == ([0, 0], 2)


def test_a_failing_check_does_not_lose_reports(send, save, settings):
    row, mail = send()
    settings.CREDIT_PATHWAYS_DELIVERY = "pigeon"
    with pytest.raises(SystemCheckError):
        call_command("check")
    before = table()
    Command().run_from_argv(["manage.py", "record_bounces", save(reports.postfix(mail))])
    assert changed(before) == [row.pk]


def test_files_given_twice(send, save, capsys):
    row, mail = send()
    path = save(reports.postfix(mail))
    before = table()
    call_command("record_bounces", path, path)
    assert changed(before) == [row.pk]
    assert capsys.readouterr().out.splitlines()[-1] == FAREWELL.format(2, 1, 1, 0, 0)


def test_standard_input_among_files(send, save, pipe):
    rows, mails = zip(*(send() for _number in range(3)), strict=True)
    before = table()
    pipe(SEPARATOR + reports.postfix(mails[0]), save(reports.exim(mails[1])), "-", save(reports.exim(mails[2])))
    assert changed(before) == [row.pk for row in rows]


def test_an_empty_mbox(save, pipe, capsys):
    call_command("record_bounces", save(b""))
    pipe(b"")
    out, err = capsys.readouterr()
    assert out.splitlines() == [FAREWELL.format(0, 0, 0, 0, 0)] * 2
    assert err == ""


def test_files_that_cannot_be_read(send, save, tmp_path, capsys):
    row, mail = send()
    before = table()
    missing = str(tmp_path / "a\x1b[31m\nmissing")
    with pytest.raises(CommandError, match="Some files were not read") as raised:
        call_command("record_bounces", missing, str(tmp_path), save(reports.postfix(mail)))
    assert raised.value.returncode == 1
    assert changed(before) == [row.pk]
    _out, err = capsys.readouterr()
    assert [line.rpartition(": ")[2] for line in err.splitlines()] == ["No such file or directory", "Is a directory"]
    assert err.splitlines()[0].startswith(f"{tmp_path}/a [31m missing: ")


def test_temporary_failures(send, save, capsys, caplog):
    """The database is away during one message; the others are recorded, and the mail server tries again."""
    rows, mails = zip(*(send() for _number in range(3)), strict=True)
    before = table()

    def away(execute, sql, parameters, many, context):
        if sql.startswith("UPDATE") and rows[1].pk in parameters:
            raise OperationalError("could not connect for registrar@northfield.example")
        return execute(sql, parameters, many, context)

    paths = [save(*(reports.postfix(mail) for mail in mails)), "missing"]
    with connection.execute_wrapper(away), pytest.raises(CommandError, match="Run the command again") as raised:
        call_command("record_bounces", *paths)
    assert raised.value.returncode == 75
    assert raised.value.__cause__ is raised.value.__context__ is None
    assert changed(before) == [rows[0].pk, rows[2].pk]
    out, err = capsys.readouterr()
    assert f"{paths[0]}, message 2: not recorded: OperationalError\n" in err
    assert "northfield" not in out + err + caplog.text
    assert out.splitlines()[-1] == FAREWELL.format(3, 2, 0, 0, 1)
    before = table()
    call_command("record_bounces", paths[0])
    assert changed(before) == [rows[1].pk]


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="a connection to a file does not die")
def test_a_lost_connection_loses_no_report(send, save):
    (first, mail), (second, last) = send(), send()
    before = table()
    sessions.killer()()
    call_command("record_bounces", save(reports.postfix(mail)), save(reports.postfix(last)))
    assert changed(before) == [first.pk, second.pk]


def test_standard_input_that_cannot_be_copied_is_read_again(monkeypatch, capsys):
    class FullDisk(BytesIO):
        def read(self, *size):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdin", TextIOWrapper(FullDisk()))
    with pytest.raises(CommandError) as raised:
        call_command("record_bounces")
    assert raised.value.returncode == 75
    assert capsys.readouterr().err == "standard input: No space left on device\n"


def run(source):
    """Run the command in a process of its own, as a mail server does, with a database that has no tables."""
    environment = {name: value for name, value in os.environ.items() if name != "TEST_DATABASE_URL"}
    environment |= {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "manage.py", "record_bounces"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, env=environment, cwd=root, input=source, capture_output=True, check=False)
    return done.returncode, done.stderr.decode()


def test_a_pipe(send):
    """Other messages are not returned to their senders. If the database is away, the mail server tries again."""
    _row, mail = send()
    line = "standard input, message 1: "
    assert run(b"\xff\x00") == (0, f"{line}skipped: not a delivery status notification\n")
    assert run(reports.postfix(mail).replace(mail[TOKEN_HEADER].encode(), b"1:x")) == (
        0,
        f"{line}skipped: invalid signature\n",
    )
    status, err = run(reports.postfix(mail))
    assert (status, err.splitlines()) == (
        75,
        [
            f"{line}not recorded: OperationalError",
            "CommandError: Some bounces were not recorded. Run the command again with the same messages.",
        ],
    )
