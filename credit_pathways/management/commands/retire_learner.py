"""``manage.py retire_learner``: withdraw what a learner has shared (ADR 0020)."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.http import Http404

from credit_pathways import api
from credit_pathways.management.base import CreditPathwaysCommand
from credit_pathways.sanitize import one_line
from credit_pathways.shortcuts import get_learner_or_404


class Command(CreditPathwaysCommand):
    """Retire one learner. Running the command again is harmless."""

    help = (
        "Withdraw all of a learner's public links, and mark pending credit requests as failed. Requests are kept for "
        "reports. Run this before the username is replaced."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", metavar="USERNAME", help="The learner's current username.")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        try:
            api.retire_learner(user=get_learner_or_404(username))
        except Http404:
            raise CommandError(f"There is no user {one_line(username)}.") from None
        self.stdout.write("Withdrew all public links and marked pending requests as failed.")
