"""``manage.py import_credentials_requests``: copy what Credentials' own records app has."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from ...imports import import_rows


class Command(BaseCommand):
    """Copy public links and credit requests, and say how many there were."""

    help = (
        "Copy the public links and credit requests of Open edX Credentials' own records app, of all its sites. "
        "Run sync_catalog --from-credentials first. Run it again to copy what is new; nothing is ever sent."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the dry run."""
        parser.add_argument("--dry-run", action="store_true", help="Print how many there are, and change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Copy, print what was done, and end with status 1 if a row was left out."""
        try:
            report = import_rows(dry_run=options["dry_run"])
        except IntegrityError as error:
            raise CommandError("Somebody else wrote the same rows at this moment. Run it again.") from error
        for line in report.problems:
            self.stderr.write(line)
        done = f"{report.links} public links and {report.requests} credit requests copied, {report.updated} updated"
        self.stdout.write(f"{done}{', not kept (dry run)' if options['dry_run'] else ''}.")
        if report.problems:
            raise CommandError(f"{len(report.problems)} rows were left out; all else was done.")
