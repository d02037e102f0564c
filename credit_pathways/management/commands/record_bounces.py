"""``manage.py record_bounces``: record bounced emails, from mail servers' reports (ADR 0021)."""

import errno
import mmap
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO

from django.core.management.base import CommandError, CommandParser
from django.db import close_old_connections
from django.template.defaultfilters import pluralize

from credit_pathways import database
from credit_pathways.delivery import learner_emails
from credit_pathways.delivery.bounces import record_bounce
from credit_pathways.delivery.dsn import MAX_SIZE, NotABounce, Report, read_report
from credit_pathways.management.base import CreditPathwaysCommand
from credit_pathways.models import UserCreditPathway
from credit_pathways.sanitize import one_line

#: The name of standard input as a FILE.
STDIN = "-"

#: The line before each message of an mbox. Python's ``mailbox`` also splits at lines such as "From now on,", which mail
#: servers do not quote when they put such a line before a single message and pipe both into the command.
FROM_LINE = re.compile(rb"(?:^|(?<=\xef\xbb\xbf))From [^\n]{,300}\n", re.MULTILINE)
TIME_AND_YEAR = re.compile(rb"\d\d:\d\d(:\d\d|.*\b\d{4}\b)")

#: What may come before the first message: a byte order mark, and empty lines.
BEGINNING = re.compile(rb"(\xef\xbb\xbf)?[\r\n]*")

#: EX_TEMPFAIL of sysexits.h: mail servers keep the message and try again.
TEMPORARY_FAILURE = 75


class Command(CreditPathwaysCommand):
    """
    Record the bounces that messages report. No message affects another.

    Skipping a message is not an error, because a mail server that pipes messages into the command would return it.
    """

    help = (
        "Record bounced emails. Each FILE is a single message or an mbox. Messages other than delivery failure reports "
        "(RFC 3464) about this service's emails are skipped."
    )

    # Neither a failing check nor an output that cannot be written is a reason to return a report to its sender.
    requires_system_checks = []
    is_output_required = False

    def add_arguments(self, parser: CommandParser) -> None:
        help_text = "A path, or - for standard input, which is the default."
        parser.add_argument("files", nargs="*", default=[STDIN], metavar="FILE", help=help_text)

    def handle(self, *args: Any, files: list[str], **options: Any) -> None:
        """Read all files, print a line for each message, and exit with status 75 if one should be read again."""
        self.counts: Counter[str] = Counter()
        with learner_emails.held_back():
            for file in files:
                self._read(file, "standard input" if file == STDIN else one_line(file))
        self.stdout.write(_summary(self.counts))
        if self.counts["failed"]:
            raise CommandError(
                "Some bounces were not recorded. Run the command again with the same messages.",
                returncode=TEMPORARY_FAILURE,
            )
        if self.counts["unreadable"]:
            raise CommandError(
                "Some files were not read. Correct the path or the permissions, then run the command again."
            )

    def _read(self, file: str, name: str) -> None:
        try:
            for number, source in enumerate(_messages(file), start=1):
                self._handle_message(source, f"{name}, message {number}")
        except (OSError, ValueError) as error:  # a path cannot contain NUL
            # Standard input can be read: it is the copy that failed, for example because a disk is full.
            self.counts["failed" if file == STDIN else "unreadable"] += 1
            self.stderr.write(f"{name}: {getattr(error, 'strerror', error)}")

    def _handle_message(self, source: bytes, name: str) -> None:
        try:
            self._record(read_report(source))
        except NotABounce as reason:
            self.counts["skipped"] += 1
            self.stderr.write(f"{name}: skipped: {reason}")
        except Exception as error:  # noqa: BLE001  from the database; its text may contain the report's
            self.counts["failed"] += 1
            self.stderr.write(f"{name}: not recorded: {type(error).__name__}")
            close_old_connections()

    def _record(self, report: Report) -> None:
        name = f"credit request {report.request_id}"
        if record_bounce(request_id=report.request_id, reason=report.reason, at=report.at):
            self.counts["recorded"] += 1
            self.stdout.write(f"{name}: bounced")
        elif database.primary(UserCreditPathway.objects.pending()).filter(pk=report.request_id).exists():
            # The mail server accepted the email, but the attempt was cut short, so another one will be made.
            self.counts["failed"] += 1
            self.stderr.write(f"{name}: still pending")
        else:
            self.counts["unchanged"] += 1
            self.stdout.write(f"{name}: nothing to record (unknown, not sent, or already bounced)")


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise OSError(errno.EBADF, "it is closed")
    return sys.stdin.buffer


def _messages(file: str) -> Iterator[bytes]:
    """Yield the beginning of each message, from a copy, because a mail server may be appending to the file."""
    with NamedTemporaryFile() as copy:
        with nullcontext(_stdin()) if file == STDIN else Path(file).open("rb") as original:
            shutil.copyfileobj(original, copy)
        copy.flush()
        if copy.tell():
            with mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ) as content:
                yield from _split(content)


def _split(content: mmap.mmap) -> Iterator[bytes]:
    """Yield the beginning of each message of an mbox, or of the only message."""
    beginning = BEGINNING.match(content)
    start = first = beginning.end() if beginning else 0
    is_mbox = any(TIME_AND_YEAR.search(line[0]) for line in [FROM_LINE.match(content, first)] if line)
    for line in FROM_LINE.finditer(content, first) if is_mbox else ():
        if not TIME_AND_YEAR.search(line[0]):
            continue
        if line.start() > first:
            yield content[start : min(line.start(), start + MAX_SIZE)]
        start = line.end()
    yield content[start : start + MAX_SIZE]


def _summary(counts: Counter[str]) -> str:
    outcomes = ("recorded", "unchanged", "skipped", "failed")
    total = sum(counts[outcome] for outcome in outcomes)
    return f"{total} message{pluralize(total)}: {', '.join(f'{counts[outcome]} {outcome}' for outcome in outcomes)}."
