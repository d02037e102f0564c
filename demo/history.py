"""A year of credit requests for the demo's list and report."""

import random
from datetime import timedelta
from typing import Any

from django.utils import timezone

from credit_pathways.models import Pathway, UserCreditPathway
from demo.mailbox import REJECTED_DOMAIN
from demo.models import User

LEARNERS, REQUESTS = 40, 300
#: How many of the oldest requests have no program, like those before migration 0002.
REQUESTS_WITHOUT_PROGRAM = 20


def load_history() -> None:
    """Create the requests without sending email, unless there are requests already."""
    if UserCreditPathway.objects.exists():
        return
    rng = random.Random(2026)  # noqa: S311
    learners = [_learner(number) for number in range(1, LEARNERS + 1)]
    links = list(
        Pathway.programs.through.objects.filter(pathway__pathway_type=Pathway.Type.CREDIT)
        .exclude(pathway__email="")
        .select_related("pathway")
        .order_by("pathway__uuid", "program__uuid")
    )
    ages = sorted((rng.triangular(1, 365, 1) for _ in range(REQUESTS)), reverse=True)
    UserCreditPathway.objects.bulk_create(
        _request(rng.choice(learners), rng.choice(links), timedelta(days=age), number)
        for number, age in enumerate(ages)
    )


def _learner(number: int) -> User:
    name = f"learner{number}"
    return User.objects.create(username=name, full_name=f"Learner {number}", email=f"{name}@learners.example")


def _request(learner: User, link: Any, age: timedelta, number: int) -> UserCreditPathway:
    rejected = link.pathway.email.endswith(REJECTED_DOMAIN)
    created = timezone.now() - age
    return UserCreditPathway(
        user=learner,
        pathway=link.pathway,
        program_id=link.program_id if number >= REQUESTS_WITHOUT_PROGRAM else None,
        status="failed" if rejected else "sent",
        created=created,
        modified=created + timedelta(seconds=2),
    )
