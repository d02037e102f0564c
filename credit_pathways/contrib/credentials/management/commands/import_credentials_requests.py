"""``manage.py import_credentials_requests``: copy the links and requests of Credentials' own records app."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import Error
from django.template.defaultfilters import pluralize

from credit_pathways.management.base import CreditPathwaysCommand

from ...imports import ImportResult, import_rows


class Command(CreditPathwaysCommand):
    """Copy public links and credit requests, and print how many."""

    help = (
        "Copy the public links and credit requests of Open edX Credentials' own records app, for all its sites. "
        "Run sync_catalog --from-credentials first. Run it again to copy new rows. No email is ever sent for them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Print how many there are, and change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Copy the rows, print the result, and exit with status 1 if a row was skipped."""
        result = ImportResult()
        try:
            for batch in import_rows(dry_run=options["dry_run"]):
                # At once, because some rows are reported only once.
                for line in batch.problems:
                    self.stderr.write(line)
                result += batch
        except Error as error:
            self.stdout.write(_summary(result, dry_run=options["dry_run"]))
            raise CommandError(
                f"The database reported an error ({type(error).__name__}), and not all rows were copied. "
                "Run the command again to copy the rest."
            ) from error
        self.stdout.write(_summary(result, dry_run=options["dry_run"]))
        skipped = len(result.problems)
        if skipped:
            raise CommandError(f"{skipped} row{pluralize(skipped)} skipped. All others were copied.")


def _summary(result: ImportResult, *, dry_run: bool) -> str:
    links, requests = result.links, result.requests
    copied = f"{links} public link{pluralize(links)} and {requests} credit request{pluralize(requests)} copied"
    return f"{copied}, {result.updated} updated{', not kept (dry run)' if dry_run else ''}."
