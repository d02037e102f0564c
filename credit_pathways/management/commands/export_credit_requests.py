"""``manage.py export_credit_requests``: write credit requests as CSV, in constant memory."""

import csv
import errno
import os
import re
import signal
import sys
import threading
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, time
from itertools import takewhile
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from credit_pathways.exports import COLUMNS, export_rows
from credit_pathways.management.base import CreditPathwaysCommand, is_terminal, progress_bar
from credit_pathways.models import Program, UserCreditPathway, UserCreditPathwayQuerySet, is_storable_datetime
from credit_pathways.sanitize import one_line

#: A file that is already open.
DESCRIPTOR = re.compile("/dev/(stdout|stderr|fd/)|/proc/")


def parse_aware_datetime(text: str) -> datetime:
    """Parse a date or time in ISO 8601 format; without an offset, it is in the current time zone."""
    try:
        day = parse_date(text)
        value = datetime.combine(day, time()) if day else parse_datetime(text)
        if value is not None:
            value = timezone.make_aware(value) if timezone.is_naive(value) else value
            if is_storable_datetime(value):
                return value
    except (ValueError, OverflowError):
        pass
    raise ArgumentTypeError(
        f"{text!r} is not a date or time from 1900 to 2199; examples: 2026-11-22, 2026-11-22T09:00:00+01:00"
    )


class Command(CreditPathwaysCommand):
    """Write one row for each request, ordered by id."""

    help = "Write credit requests as CSV to a file or to standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", type=parse_aware_datetime, metavar="TIME", help="Only requests from then on.")
        parser.add_argument("--until", type=parse_aware_datetime, metavar="TIME", help="Only requests before then.")
        parser.add_argument("--program", type=UUID, metavar="UUID", help="Only requests for this program.")
        parser.add_argument("--output", type=Path, metavar="FILE", help="A file that appears once it is complete.")

    def handle(self, *args: Any, **options: Any) -> None:
        requests = _requests(options)
        path = options["output"]
        with open_output(path) if path else nullcontext(self.stdout) as file:
            writer = csv.writer(file)
            # Without the byte order mark, spreadsheets guess another encoding.
            writer.writerow([f"\ufeff{COLUMNS[0]}", *COLUMNS[1:]])
            total = requests.count() if is_terminal(sys.stderr) else None
            rows = progress_bar(export_rows(requests), "requests", total)
            writer.writerows(takewhile(lambda _row: self.output.error is None, rows))


def _requests(options: dict[str, Any]) -> UserCreditPathwayQuerySet:
    lookups = {"created__gte": options["since"], "created__lt": options["until"]}
    requests = UserCreditPathway.objects.filter(**{name: value for name, value in lookups.items() if value})
    if options["program"]:
        if not Program.objects.filter(uuid=options["program"]).exists():
            raise CommandError(f"--program: there is no program {options['program']}.")
        requests = requests.of_program(options["program"])
    return requests


@contextmanager
def open_output(path: Path) -> Iterator[IO[str]]:
    """
    Yield a file for ``path``. The file behind a link is replaced.

    A device, a pipe, or a file that is already open, such as ``/dev/stdout``, is written to directly.
    """
    try:
        if DESCRIPTOR.match(str(path)) or (path.exists() and not path.is_file()):
            with path.open("a", encoding="utf-8", newline="") as file:
                yield file
        else:
            with exit_on_signals(), atomic_write(_behind_links(path)) as file:
                yield file
    except (OSError, RuntimeError, ValueError) as error:  # a circle of links, or no path at all
        raise CommandError(f"{one_line(path)} cannot be written: {getattr(error, 'strerror', error)}.") from error


def _behind_links(path: Path) -> Path:
    target = path.resolve()
    if target.is_symlink():  # a circle of links, about which Python 3.13 raises no error
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[str]]:
    """Yield a temporary file, readable by its owner only, that replaces ``path`` if the block succeeds."""
    with NamedTemporaryFile(
        "w", encoding="utf-8", newline="", dir=path.parent, prefix=f".{path.name[:100]}.", delete=False
    ) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Turn a signal or a dropped connection into an exception, so that no incomplete file with usernames is left."""
    numbers = [signal.SIGTERM, signal.SIGHUP] if threading.current_thread() is threading.main_thread() else []
    previous = {number: signal.getsignal(number) for number in numbers}
    for number, handler in previous.items():
        if handler != signal.SIG_IGN:  # nohup
            signal.signal(number, lambda *_arguments: sys.exit(1))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler or signal.SIG_DFL)
