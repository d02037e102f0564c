"""``manage.py export_credit_requests``: the credit requests as CSV, however many there are."""

import csv
import os
import signal
import sys
import threading
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from tqdm import tqdm

from credit_pathways.exports import COLUMNS, export_rows
from credit_pathways.models import Program, UserCreditPathway


def moment(text: str) -> datetime:
    """Return the moment that ``text`` names, in the form of ISO 8601; without a zone, in the server's."""
    try:
        day = parse_date(text)
        found = datetime.combine(day, time()) if day else parse_datetime(text)
        if found is not None:
            found = timezone.make_aware(found) if timezone.is_naive(found) else found
            found.astimezone(timezone.get_fixed_timezone(0))  # a day at the end of the calendar has no UTC
            return found
    except (ValueError, OverflowError):
        pass
    raise ArgumentTypeError(f"{text!r} is no date and no time; write 2026-11-22 or 2026-11-22T09:00:00+01:00")


class Command(BaseCommand):
    """Write the requests by id, a row for each."""

    help = "Write the credit requests as CSV, to a file or to standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the range, the program and the file."""
        parser.add_argument("--since", type=moment, metavar="TIME", help="Requested at this day or time, or later.")
        parser.add_argument("--until", type=moment, metavar="TIME", help="Requested before this day or time.")
        parser.add_argument("--program", type=UUID, metavar="UUID", help="Requested for this program.")
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="A file that is there in the end whole, or not at all."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Export."""
        requests = _requests(options)
        path = options["output"]
        with _whole(path) if path else _piped(self.stdout) as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            total = requests.count() if sys.stderr.isatty() else None
            for row in tqdm(export_rows(requests), desc="requests", total=total, disable=None):
                writer.writerow(row)


def _requests(options: dict[str, Any]) -> QuerySet[UserCreditPathway]:
    lookups = {"created__gte": options["since"], "created__lt": options["until"]}
    if options["program"]:
        # A program is in the catalog of each site once.
        lookups["program__in"] = list(Program.objects.filter(uuid=options["program"]).values_list("pk", flat=True))
        if not lookups["program__in"]:
            raise CommandError(f"--program: there is no program {options['program']}.")
    return UserCreditPathway.objects.filter(**{name: value for name, value in lookups.items() if value})


@contextmanager
def _piped(stdout: Any) -> Iterator[Any]:
    """Yield ``stdout``; a reader that has enough, such as ``head``, is no error."""
    try:
        yield stdout
        stdout.flush()
    except BrokenPipeError:
        # Python flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _whole(path: Path) -> Iterator[IO[str]]:
    """Yield a file beside ``path`` that takes its place in the end; nobody but its owner can read it."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_arguments: sys.exit(1))  # or half a file of usernames would stay
    prefix = f".{path.name}."
    try:
        with NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=path.parent, prefix=prefix, delete=False
        ) as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
