"""
Fill a database with credit requests, as a service of some years has them.

With what ``requirements/services.txt`` lists, in the project's directory; the database has to exist, and is migrated::

    TEST_DATABASE_URL=postgres://postgres@127.0.0.1/bench .venv/bin/python -m benchmarks.dataset --rows 1000000

One learner for 20 requests, 300 programs, 80 pathways of 40 institutions, five years. What it makes is the same each
time, but for its end, which is now.
"""

import argparse
import os
import random
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate, islice
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.sites.models import Site  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from tqdm import tqdm  # noqa: E402

from credit_pathways.models import Pathway, Program, ProgramCertRecord, UserCreditPathway  # noqa: E402

ROWS_OF_A_LEARNER = 20
#: Different things that one learner asks for: the fewer, the more repeats.
WISHES = 12
PROGRAMS, PATHWAYS, INSTITUTIONS = 300, 80, 40
SPAN = timedelta(days=5 * 365)
#: The share of requests from before programs were recorded.
WITHOUT_PROGRAM = 0.1
STATUSES = {"sent": 96.0, "failed": 3.8, "pending": 0.2}
BATCH = 5_000


def fill(rows: int) -> None:
    """Put ``rows`` credit requests, and all that they point at, into the empty tables."""
    chance = random.Random(rows)  # noqa: S311
    programs, pathways = _catalog(chance)
    learners = _learners(max(rows // ROWS_OF_A_LEARNER, 1))
    ProgramCertRecord.objects.bulk_create(
        (ProgramCertRecord(user_id=learner, program=chance.choice(programs)) for learner in learners), BATCH
    )
    requests = _requests(rows, chance, learners, _wishes(chance, programs, pathways))
    progress = iter(tqdm(requests, "requests", rows, disable=None))
    while batch := list(islice(progress, BATCH)):
        UserCreditPathway.objects.bulk_create(batch)
    _analyze()


def _catalog(chance: random.Random) -> tuple[list[Program], list[Pathway]]:
    site = Site.objects.get_current()
    programs = Program.objects.bulk_create(
        Program(site=site, uuid=_uuid(chance), title=f"Program {n}", type="MicroMasters", school=f"School {n % 50}")
        for n in range(PROGRAMS)
    )
    pathways = Pathway.objects.bulk_create(
        Pathway(
            site=site,
            uuid=_uuid(chance),
            name=f"Pathway {n}",
            org_name=f"Institution {n % INSTITUTIONS}",
            email=f"registrar{n}@institutions.example",
        )
        for n in range(PATHWAYS)
    )
    link = Pathway.programs.through
    link.objects.bulk_create(
        link(pathway=pathway, program=program) for pathway in pathways for program in chance.sample(programs, 15)
    )
    return _kept(Program), _kept(Pathway)


def _kept(model: Any) -> list[Any]:
    """Return all rows as they are stored: MySQL does not tell the keys of rows created together."""
    return list(model.objects.order_by("pk"))


def _uuid(chance: random.Random) -> uuid.UUID:
    return uuid.UUID(int=chance.getrandbits(128), version=4)


def _learners(number: int) -> list[int]:
    user = get_user_model()
    names = (f"learner{n}" for n in range(number))
    users = (user(username=name, email=f"{name}@learners.example", password="!") for name in names)  # noqa: S106
    user.objects.bulk_create(tqdm(users, "learners", number, disable=None), BATCH)
    return list(user.objects.filter(username__startswith="learner").order_by("pk").values_list("pk", flat=True))


def _wishes(chance: random.Random, programs: list[Program], pathways: list[Pathway]) -> list[tuple[int, int]]:
    """Return pairs of keys of a pathway and a program; popular ones are there more often."""
    linked = list(Pathway.programs.through.objects.order_by("pk").values_list("pathway", "program"))
    weights = list(accumulate(1 / (rank + 10) for rank in range(len(linked))))
    return chance.choices(linked, cum_weights=weights, k=10_000)


def _requests(
    rows: int, chance: random.Random, learners: list[int], wishes: list[tuple[int, int]]
) -> Iterator[UserCreditPathway]:
    """Yield them in the order of time."""
    began, statuses = timezone.now() - SPAN, list(accumulate(STATUSES.values()))
    for number in range(rows):
        learner = chance.randrange(len(learners))
        wish = wishes[(learner * WISHES + chance.randrange(WISHES)) % len(wishes)]
        created = began + SPAN * (number / rows)
        yield UserCreditPathway(
            user_id=learners[learner],
            pathway_id=wish[0],
            program_id=wish[1] if number > WITHOUT_PROGRAM * rows else None,
            status=chance.choices(list(STATUSES), cum_weights=statuses)[0],
            created=created,
            modified=_later(created, chance),
        )


def _later(moment: datetime, chance: random.Random) -> datetime:
    return moment + timedelta(seconds=chance.expovariate(1 / 3))


def _analyze() -> None:
    """Do what a server would do on its own soon."""
    for model in (UserCreditPathway, ProgramCertRecord, get_user_model(), Pathway, Program):
        table = connection.ops.quote_name(model._meta.db_table)
        with connection.cursor() as cursor:
            analyze = {"postgresql": f"VACUUM ANALYZE {table}", "mysql": f"ANALYZE TABLE {table}"}
            cursor.execute(analyze.get(connection.vendor, f"ANALYZE {table}"))


def main() -> None:
    """Migrate the database and fill it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    call_command("migrate", verbosity=0)
    if UserCreditPathway.objects.exists():
        parser.error("there are requests in this database already; name an empty one")
    fill(rows)


if __name__ == "__main__":
    main()
