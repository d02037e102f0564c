"""``manage.py deliver_pending``: deliver the requests that were recorded and never finished (ADR 0008)."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from credit_pathways.delivery import later
from credit_pathways.models import UserCreditPathway

Status = UserCreditPathway.Status

#: In minutes. Dates have an end.
CENTURY = 100 * 365 * 24 * 60


class Command(BaseCommand):
    """Deliver the credit requests that have been pending for too long; an operator decides when."""

    help = "Deliver the credit requests that have been pending for longer than some minutes, one attempt each."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the age, and whether this is a rehearsal."""
        parser.add_argument(
            "--older-than", metavar="MINUTES", type=int, required=True, help="How long they have been pending."
        )
        parser.add_argument("--dry-run", action="store_true", help="Print what would be delivered; deliver nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Deliver, print a line for each request, and end with status 1 if one failed."""
        if not 0 <= options["older_than"] <= CENTURY:
            raise CommandError("--older-than: give a number of minutes, from 0 to a century.")
        older_than = timedelta(minutes=options["older_than"])
        deliver = later.pending_requests if options["dry_run"] else later.deliver_pending
        statuses = [self._told(request) for request in deliver(older_than=older_than)]
        sent, failed = (statuses.count(status) for status in (Status.SENT, Status.FAILED))
        if options["dry_run"]:
            self.stdout.write(f"{len(statuses)} requests to deliver (dry run).")
        else:
            self.stdout.write(f"{len(statuses)} requests: {sent} sent, {failed} failed.")
        if failed:
            raise CommandError(f"{failed} requests failed. The log says why; deliver them again from the admin.")

    def _told(self, request: UserCreditPathway) -> str:
        self.stdout.write(f"{request}: {request.status}")
        return request.status
