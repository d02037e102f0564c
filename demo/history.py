"""Requests of the last year, so that the demo's list and report have something to show."""

import random
from datetime import timedelta
from typing import Any

from django.utils import timezone

from credit_pathways.models import Pathway, UserCreditPathway
from demo.mailbox import REFUSED_HOST
from demo.models import User

LEARNERS, REQUESTS = 40, 300
#: Of the oldest requests; theirs was not recorded.
WITHOUT_PROGRAM = 20


def load_history() -> None:
    """Load them, unless there are requests already. Nothing is mailed."""
    if UserCreditPathway.objects.exists():
        return
    chance = random.Random(2026)  # noqa: S311
    learners = [_learner(number) for number in range(1, LEARNERS + 1)]
    served = list(
        Pathway.programs.through.objects.filter(pathway__pathway_type=Pathway.Type.CREDIT)
        .exclude(pathway__email="")
        .select_related("pathway")
        .order_by("pathway__uuid", "program__uuid")
    )
    ages = sorted((chance.triangular(1, 365, 1) for _number in range(REQUESTS)), reverse=True)
    UserCreditPathway.objects.bulk_create(
        _request(chance.choice(learners), chance.choice(served), timedelta(days=age), number)
        for number, age in enumerate(ages)
    )


def _learner(number: int) -> User:
    name = f"learner{number}"
    return User.objects.create(username=name, full_name=f"Learner {number}", email=f"{name}@learners.example")


def _request(learner: User, link: Any, age: timedelta, number: int) -> UserCreditPathway:
    refused = link.pathway.email.endswith(REFUSED_HOST)
    created = timezone.now() - age
    return UserCreditPathway(
        user=learner,
        pathway=link.pathway,
        program_id=link.program_id if number >= WITHOUT_PROGRAM else None,
        status="failed" if refused else "sent",
        created=created,
        modified=created + timedelta(seconds=2),
    )
