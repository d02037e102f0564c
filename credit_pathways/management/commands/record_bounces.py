"""``manage.py record_bounces``: record which emails came back, from the reports of mail servers (ADR 0021)."""

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, nullcontext
from mailbox import mbox
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.template.defaultfilters import pluralize

from credit_pathways.delivery.bounces import record_bounce
from credit_pathways.delivery.dsn import MAX_SIZE, NotABounce, Report, read_report
from credit_pathways.sanitize import one_line

#: The name of standard input as a FILE.
STDIN = "-"

#: EX_TEMPFAIL of sysexits.h: mail servers keep the message and try again.
TEMPORARY_FAILURE = 75


class Command(BaseCommand):
    """
    Record the bounces that messages report. No message affects another.

    Skipping a message is not an error, because a mail server that pipes messages into the command would return it.
    """

    help = (
        "Record which emails came back. Each FILE is one message or an mbox. Messages are skipped unless they are "
        "reports (RFC 3464) that an email of this service could not be delivered."
    )

    # A failing check is no reason to return a report to its sender.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        help_text = "A path, or - for standard input, which is the default."
        parser.add_argument("files", nargs="*", default=[STDIN], metavar="FILE", help=help_text)

    def handle(self, *args: Any, files: list[str], **options: Any) -> None:
        """Read all files, print a line for each message, and exit with status 75 if one should be read again."""
        self.counts: Counter[str] = Counter()
        for file in files:
            self._read(file, "standard input" if file == STDIN else one_line(file))
        self.stdout.write(_summary(self.counts))
        if self.counts["failed"]:
            raise CommandError("Not every bounce could be recorded. Try again.", returncode=TEMPORARY_FAILURE)
        if self.counts["unreadable"]:
            raise CommandError("Not every file could be read.")

    def _read(self, file: str, name: str) -> None:
        try:
            for number, source in enumerate(_messages(file), start=1):
                self._handle_message(source, f"{name}, message {number}")
        except OSError as error:
            # Standard input can be read: it is the copy that failed, for example because a disk is full.
            self.counts["failed" if file == STDIN else "unreadable"] += 1
            self.stderr.write(f"{name}: {error.strerror}")

    def _handle_message(self, source: bytes, name: str) -> None:
        try:
            self._record(read_report(source))
        except NotABounce as reason:
            self.counts["skipped"] += 1
            self.stderr.write(f"{name}: skipped: {reason}")
        except Exception as error:  # noqa: BLE001  from the database; its text may contain the report's
            self.counts["failed"] += 1
            self.stderr.write(f"{name}: {type(error).__name__}")
            connection.close_if_unusable_or_obsolete()

    def _record(self, report: Report) -> None:
        if record_bounce(request_id=report.request_id, reason=report.reason, at=report.at):
            self.counts["recorded"] += 1
            self.stdout.write(f"credit request {report.request_id}: bounced")
        else:
            self.counts["not recorded"] += 1
            self.stdout.write(f"credit request {report.request_id}: unknown, not sent, or already bounced")


def _messages(file: str) -> Iterator[bytes]:
    """
    Yield the beginning of each message; an empty file is an mbox without messages.

    They are read from a copy, because ``mbox`` needs a path, and a mail server may be appending to the file.
    """
    with NamedTemporaryFile() as copy:
        with nullcontext(sys.stdin.buffer) if file == STDIN else Path(file).open("rb") as original:
            shutil.copyfileobj(original, copy)
        copy.seek(0)
        beginning = copy.read(MAX_SIZE)
        if beginning.startswith(b"From "):
            with closing(mbox(copy.name, create=False)) as messages:
                yield from (messages.get_file(key).read(MAX_SIZE) for key in messages.iterkeys())
        elif beginning:
            yield beginning


def _summary(counts: Counter[str]) -> str:
    outcomes = ("recorded", "not recorded", "skipped", "failed")
    total = sum(counts[outcome] for outcome in outcomes)
    return f"{total} message{pluralize(total)}: {', '.join(f'{counts[outcome]} {outcome}' for outcome in outcomes)}."
