"""``manage.py import_credentials_requests``: copy the links and requests of Credentials' own records app."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.template.defaultfilters import pluralize

from ...imports import import_rows


class Command(BaseCommand):
    """Copy public links and credit requests, and print how many."""

    help = (
        "Copy the public links and credit requests of Open edX Credentials' own records app, for all its sites. "
        "Run sync_catalog --from-credentials first. Run it again to copy new rows. No email is ever sent for them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Print how many there are, and change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Copy the rows, print the result, and exit with status 1 if a row was skipped."""
        try:
            result = import_rows(dry_run=options["dry_run"])
        except IntegrityError as error:
            raise CommandError("Another process wrote the same rows at the same time. Run it again.") from error
        for line in result.problems:
            self.stderr.write(line)
        links, requests, skipped = result.links, result.requests, len(result.problems)
        copied = f"{links} public link{pluralize(links)} and {requests} credit request{pluralize(requests)} copied"
        dry_run = ", not kept (dry run)" if options["dry_run"] else ""
        self.stdout.write(f"{copied}, {result.updated} updated{dry_run}.")
        if skipped:
            raise CommandError(f"{skipped} row{pluralize(skipped)} skipped. All others were copied.")
