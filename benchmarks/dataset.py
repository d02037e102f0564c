"""
A database with the credit requests that a service collects in five years.

It has one learner for every 20 requests, 300 programs, and 80 pathways of 40 institutions. A few pathways and programs
have most of the requests. The same number of rows always results in the same data, except that it ends now.
"""

import io
import json
import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test.utils import setup_databases, teardown_databases
from django.utils import timezone
from tqdm import tqdm

from credit_pathways.models import Pathway, Program, ProgramCertRecord, UserCreditPathway

PROGRAMS, PATHWAYS, INSTITUTIONS, SCHOOLS = 300, 80, 40, 50
PROGRAMS_PER_PATHWAY = 15
REQUESTS_PER_LEARNER = 20
#: How many different things one learner requests. The fewer, the more repeats.
WISHES_PER_LEARNER = 12
PERIOD = timedelta(days=5 * 365)
#: The share of the oldest requests, which have no program.
WITHOUT_PROGRAM = 0.1
#: Percentages.
STATUSES = {"sent": 96.0, "failed": 3.8, "pending": 0.2}
BATCH_SIZE = 5_000


@contextmanager
def test_database() -> Iterator[None]:
    """Create an empty database, and drop it at the end."""
    if connection.vendor == "sqlite":
        # Durable commits, as in production: the tests' own options give them up for speed.
        connection.settings_dict["OPTIONS"].clear()
    databases = setup_databases(verbosity=0, interactive=False, aliases=["default"])
    try:
        yield
    finally:
        connection.close()
        teardown_databases(databases, verbosity=0)


def fill(rows: int, catalog_file: Path) -> None:
    """Create ``rows`` credit requests and all that they refer to. The catalog is also written to ``catalog_file``."""
    rng = random.Random(rows)  # noqa: S311
    catalog_file.write_text(json.dumps(catalog(rng)), encoding="utf-8")
    call_command("sync_catalog", file=catalog_file, stdout=io.StringIO())
    learners = create_learners(max(rows // REQUESTS_PER_LEARNER, 1))
    share_records(rng, learners)
    requests = iter(tqdm(credit_requests(rows, rng, learners), "credit requests", rows, disable=None))
    while batch := list(islice(requests, BATCH_SIZE)):
        UserCreditPathway.objects.bulk_create(batch)
    analyze()


def catalog(rng: random.Random) -> dict[str, list[dict[str, Any]]]:
    """Return programs and pathways in the shape of Discovery's API."""
    programs = [
        {
            "uuid": _random_uuid(rng),
            "title": f"Program {number}",
            "type": "MicroMasters",
            "status": "active",
            "authoring_organizations": [{"name": f"School {number % SCHOOLS}"}],
        }
        for number in range(PROGRAMS)
    ]
    pathways = [
        {
            "uuid": _random_uuid(rng),
            "name": f"Pathway {number}",
            "org_name": f"Institution {number % INSTITUTIONS}",
            "email": f"registrar{number}@institutions.example",
            "pathway_type": "credit",
            "status": "published",
            "programs": [{"uuid": program["uuid"]} for program in rng.sample(programs, PROGRAMS_PER_PATHWAY)],
        }
        for number in range(PATHWAYS)
    ]
    return {"programs": programs, "pathways": pathways}


def _random_uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def create_learners(number: int) -> list[int]:
    """Return the ids of new users."""
    user_model = get_user_model()
    names = (f"student{number}" for number in range(number))
    users = (user_model(username=name, email=f"{name}@learners.example", password="!") for name in names)  # noqa: S106
    user_model.objects.bulk_create(tqdm(users, "learners", number, disable=None), BATCH_SIZE)
    # Read again, because MySQL does not return the ids of rows created together.
    return list(user_model.objects.filter(username__startswith="student").order_by("pk").values_list("pk", flat=True))


def share_records(rng: random.Random, learners: list[int]) -> None:
    """Share one program record of each learner."""
    programs = list(Program.objects.order_by("uuid").values_list("pk", flat=True))
    shared = (ProgramCertRecord(user_id=learner, program_id=rng.choice(programs)) for learner in learners)
    ProgramCertRecord.objects.bulk_create(shared, BATCH_SIZE)


def credit_requests(rows: int, rng: random.Random, learners: list[int]) -> Iterator[UserCreditPathway]:
    """Yield unsaved requests, oldest first."""
    links = list(Pathway.objects.order_by("uuid", "programs__uuid").values_list("pk", "programs"))
    wishes = rng.choices(links, weights=[1 / (rank + 10) for rank in range(len(links))], k=10_000)
    statuses = rng.choices(list(STATUSES), weights=list(STATUSES.values()), k=rows)
    start = timezone.now() - PERIOD
    for number, status in enumerate(statuses):
        learner = rng.randrange(len(learners))
        pathway, program = wishes[(learner * WISHES_PER_LEARNER + rng.randrange(WISHES_PER_LEARNER)) % len(wishes)]
        created = start + PERIOD * (number / rows)
        yield UserCreditPathway(
            user_id=learners[learner],
            pathway_id=pathway,
            program_id=program if number >= WITHOUT_PROGRAM * rows else None,
            status=status,
            created=created,
            modified=created + timedelta(seconds=rng.expovariate(1 / 3)),
        )


def analyze() -> None:
    """Update the database's statistics, as the server itself would do some minutes later."""
    for model in (UserCreditPathway, ProgramCertRecord, get_user_model(), Pathway, Program):
        table = connection.ops.quote_name(model._meta.db_table)
        statements = {"postgresql": f"VACUUM ANALYZE {table}", "mysql": f"ANALYZE TABLE {table}"}
        with connection.cursor() as cursor:
            cursor.execute(statements.get(connection.vendor, f"ANALYZE {table}"))
