"""
What the indexes of ``UserCreditPathway`` cost those who write to it (ADR 0013).

With what ``requirements/services.txt`` lists, in the project's directory; the database has to exist, is migrated, and
is filled if it is empty::

    TEST_DATABASE_URL=postgres://postgres@127.0.0.1/bench .venv/bin/python -m benchmarks.index_cost --rows 1000000

One connection writes requests as the app does: a pending row, commit, the same row as sent, commit. The rows that it
writes stay in the table. Database and benchmark share the machine.
"""

import argparse
import os
import random
import statistics
import time
from collections.abc import Iterable, Iterator

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import ForeignKey, Index, Max, Min  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks import dataset  # noqa: E402
from credit_pathways.models import UserCreditPathway  # noqa: E402

TABLE = UserCreditPathway._meta.db_table
NEW = UserCreditPathway._meta.indexes
#: What the foreign keys have before migration 0003.
OWN = {name: Index(fields=[name], name=f"index_cost_{name}") for name in ("user", "pathway", "program")}
#: What the other sets are compared to.
REFERENCE = "0003"
#: Requests that are not counted.
WARM_UP = 50

#: Bytes of each index.
SIZES = {
    "postgresql": "SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes"
    f" WHERE relname = '{TABLE}'",
    "mysql": "SELECT index_name, stat_value * @@innodb_page_size FROM mysql.innodb_index_stats"
    f" WHERE database_name = DATABASE() AND table_name = '{TABLE}' AND stat_name = 'size'",
}
UPDATES = f"SELECT n_tup_hot_upd, n_tup_upd FROM pg_stat_user_tables WHERE relname = '{TABLE}'"


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=300, help="for each set of indexes, in each round")
    parser.add_argument("--rounds", type=int, default=15)
    return parser.parse_args()


def variants() -> Iterator[tuple[str, list[Index]]]:
    """Yield the sets of indexes."""
    yield "before 0003", [*OWN.values()]
    yield "0003, foreign keys' own kept", [*NEW, *OWN.values()]
    yield REFERENCE, NEW
    for index in NEW:
        yield f"0003 without {index.name}", [*(other for other in NEW if other != index), *instead_of(index)]


def instead_of(index: Index) -> list[Index]:
    """Return what has to take the place of an index: MySQL and MariaDB keep one for each foreign key."""
    first = index.fields[0]
    is_needed = connection.vendor == "mysql" and isinstance(UserCreditPathway._meta.get_field(first), ForeignKey)
    return [OWN[first]] if is_needed else []


def have(wanted: Iterable[Index]) -> None:
    """Make the indexes that are not there, then drop the others."""
    with connection.cursor() as cursor:
        there = connection.introspection.get_constraints(cursor, TABLE)
    names = {index.name for index in wanted}
    with connection.schema_editor(atomic=False) as editor:
        for index in wanted:
            if index.name not in there:
                editor.add_index(UserCreditPathway, index)
        for index in [*NEW, *OWN.values()]:
            if index.name in there and index.name not in names:
                editor.execute(index.remove_sql(UserCreditPathway, editor))


def wishes(chance: random.Random, number: int) -> list[tuple[int, int, int]]:
    """Return keys of learner, pathway and program, as some of the rows have them."""
    ends = UserCreditPathway.objects.aggregate(first=Min("pk"), last=Max("pk"))
    keys = chance.sample(range(ends["first"], ends["last"]), 2 * number)
    rows = UserCreditPathway.objects.filter(pk__in=keys, program__isnull=False)
    found = list(rows.values_list("user", "pathway", "program"))
    return chance.choices(found, k=number)


def write(user: int, pathway: int, program: int) -> float:
    """Write a request, and that it was sent; return the microseconds that took."""
    began = time.perf_counter()
    request = UserCreditPathway.objects.create(user_id=user, pathway_id=pathway, program_id=program)
    UserCreditPathway.objects.filter(pk=request.pk).update(status="sent", modified=timezone.now())
    return 1_000_000 * (time.perf_counter() - began)


def updates() -> tuple[int, int]:
    """Return how many updates there were that left the indexes alone (PostgreSQL's HOT), and how many at all."""
    if connection.vendor != "postgresql":
        return 0, 0
    # Only then does a session report what it did.
    connection.close()
    return asked(UPDATES)[0]


def asked(sql: str) -> list[tuple]:
    """Return the rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def measure(options: argparse.Namespace) -> None:
    """Print a line for each set of indexes."""
    chance = random.Random(0)  # noqa: S311
    sets = list(variants())
    medians: dict[str, list[float]] = {name: [] for name, _indexes in sets}
    hot = dict.fromkeys(medians, (0, 0))
    # Short turns, for the machine's other load comes and goes; in any order, for an index just made is in memory.
    for _round in range(options.rounds):
        for name, indexes in chance.sample(sets, len(sets)):
            have(indexes)
            for wish in wishes(chance, WARM_UP):
                write(*wish)
            chosen, before = wishes(chance, options.requests), updates()
            medians[name].append(statistics.median(write(*wish) for wish in chosen))
            hot[name] = tuple(h + a - b for h, a, b in zip(hot[name], updates(), before, strict=True))
    for name, times in medians.items():
        print(f"{name:35} {statistics.median(times):6.0f} µs, {compared(times, medians[REFERENCE])}", end=", ")
        print("HOT {} of {}".format(*hot[name]), flush=True)


def compared(times: list[float], reference: list[float]) -> str:
    """Return the difference between two sets of indexes, round by round."""
    differences = [time - other for time, other in zip(times, reference, strict=True)]
    low, middle, high = statistics.quantiles(differences, n=4)
    return f"{middle:+5.0f} (quartiles {low:+.0f}, {high:+.0f})"


def main() -> None:
    """Fill the table, measure, and print how large the indexes are."""
    options = arguments()
    call_command("migrate", verbosity=0)
    if not UserCreditPathway.objects.exists():
        dataset.fill(options.rows)
    try:
        have([*NEW, *OWN.values()])
        for name, size in sorted(asked(SIZES[connection.vendor])):
            print(f"{name:35} {size / 1_000_000:6.0f} MB")
        measure(options)
    finally:
        have(NEW)


if __name__ == "__main__":
    main()
