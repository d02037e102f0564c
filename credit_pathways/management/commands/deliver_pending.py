"""``manage.py deliver_pending``: deliver credit requests that were recorded and never finished (ADR 0008)."""

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.template.defaultfilters import pluralize

from credit_pathways.delivery import later
from credit_pathways.management.base import CreditPathwaysCommand
from credit_pathways.models import UserCreditPathway

Status = UserCreditPathway.Status

#: A century. A much larger age would be outside the range of dates.
MAX_AGE_MINUTES = 100 * 365 * 24 * 60


class Command(CreditPathwaysCommand):
    """Deliver the credit requests that have been pending for too long; the operator decides how long that is."""

    help = "Deliver the credit requests that have been pending for longer than MINUTES, one attempt each."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", metavar="MINUTES", type=int, required=True, help="Their minimum age.")
        parser.add_argument("--dry-run", action="store_true", help="Print what would be delivered; deliver nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Deliver, print a line for each request, and exit with status 1 if one failed."""
        if not 0 <= options["older_than"] <= MAX_AGE_MINUTES:
            raise CommandError(f"--older-than: must be a number of minutes from 0 to {MAX_AGE_MINUTES} (a century).")
        deliver = later.overdue_requests if options["dry_run"] else later.deliver_pending
        statuses = []
        for request in deliver(older_than=timedelta(minutes=options["older_than"])):
            self.stdout.write(f"{request}: {request.status}")
            statuses.append(request.status)
        total, sent, failed = len(statuses), statuses.count(Status.SENT), statuses.count(Status.FAILED)
        result = " to deliver (dry run)" if options["dry_run"] else f": {sent} sent, {failed} failed"
        self.stdout.write(f"{total} request{pluralize(total)}{result}.")
        if failed:
            raise CommandError(f"{failed} request{pluralize(failed)} failed. See the log; then retry in the admin.")
        if total > sent and not options["dry_run"]:
            raise CommandError("The database reported an error. See the log; then run the command again.")
