"""A year of credit requests for the demo's list and report, and two for trying a bounce and a late failure."""

import random
from datetime import timedelta
from typing import Any

from django.utils import timezone

from credit_pathways.delivery.sending import NOT_SENT
from credit_pathways.models import Pathway, Program, ProgramCertRecord, UserCreditPathway
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
        _request(rng, rng.choice(learners), rng.choice(links), timedelta(days=age), number)
        for number, age in enumerate(ages)
    )
    _load_latest()


def _load_latest() -> None:
    """
    Create the two requests that the demo's instructions are about.

    The signed number of the first is in ``bounce.eml``, which has no Date: the email comes back when the file is read.
    """
    amina = User.objects.get(username="amina")
    program = Program.objects.get(title="Statistics and Data Science")
    ProgramCertRecord.objects.create(user=amina, program=program, created=timezone.now() - timedelta(days=1))
    _create(amina, program, "admissions@lakeside.example", timedelta(hours=20), status="sent", attempts=1)
    _create(amina, program, f"registrar{REJECTED_DOMAIN}", timedelta(hours=3), status="pending")


def _create(learner: User, program: Program, email: str, age: timedelta, **values: Any) -> None:
    created = timezone.now() - age
    UserCreditPathway.objects.create(
        user=learner,
        pathway=Pathway.objects.get(email=email),
        program=program,
        completed=False,
        sent_to=email if values["status"] == "sent" else "",
        created=created,
        modified=created,
        **values,
    )


def _learner(number: int) -> User:
    name = f"learner{number}"
    return User.objects.create(username=name, full_name=f"Learner {number}", email=f"{name}@learners.example")


def _request(rng: random.Random, learner: User, link: Any, age: timedelta, number: int) -> UserCreditPathway:
    sent = {"status": "sent", "sent_to": link.pathway.email}
    refused = {"status": "failed", "failure_reason": f"{NOT_SENT} (SMTPRecipientsRefused 550)"}
    created = timezone.now() - age
    return UserCreditPathway(
        user=learner,
        pathway=link.pathway,
        program_id=link.program_id if number >= REQUESTS_WITHOUT_PROGRAM else None,
        completed=rng.choice([False, True]) if number >= REQUESTS_WITHOUT_PROGRAM else None,
        attempts=1,
        created=created,
        modified=created + timedelta(seconds=2),
        **(refused if link.pathway.email.endswith(REJECTED_DOMAIN) else sent),
    )
