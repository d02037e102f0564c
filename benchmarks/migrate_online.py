"""
Measure migration 0002 or 0003 on a large table while requests keep arriving (ADR 0011, ADR 0013).

With what ``requirements/services.txt`` lists, in the project's directory::

    python -m benchmarks.migrate_online postgres://postgres@127.0.0.1/bench --rows 1000000
    python -m benchmarks.migrate_online mysql://root@127.0.0.1/bench --rows 1000000 --plain --slow-relay 5
    python -m benchmarks.migrate_online postgres://postgres@127.0.0.1/bench --migration 0003

It makes a database (``test_bench`` in these examples), and drops it at the end. ``--plain`` measures what Django's own
operations cost, ``--slow-relay 5`` has a delivery of five seconds open when each migration begins. Nothing in it fails
for being slow.
"""

import argparse
import contextlib
import itertools
import os
import random
import re
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import django
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from tests.support.schema import AFTER, BEFORE, INDEXED, TABLE, plain_steps

APP = "credit_pathways"
MIGRATIONS = {"0002": (BEFORE, AFTER), "0003": (AFTER, INDEXED)}
CHANGES = re.compile("(ALTER|CREATE|DROP) ")

#: How many threads request, and how long each rests in between; how many deliver, and how long a mail takes. Seconds.
REQUESTERS, REST = 4, 0.02
DELIVERERS, MAIL = 4, 0.25
#: How long to watch before, between and after the migrations.
WATCH = 5
#: How many requests differ; the others are their copies. How many learners, pathways and programs there are.
DIFFERENT, OTHERS = 1_000, 50


@dataclass
class Seen:
    """What became of a request."""

    began: float
    ended: float
    #: Seconds of that which it was not the mail that took.
    waited: float
    failure: str = ""


@dataclass
class Traffic:
    """Credit requests and deliveries, as software of the schema before the migration writes them."""

    requests: Any
    templates: list[dict[str, Any]]
    #: So many that two deliveries rarely meet.
    undelivered: list[int]
    seen: list[Seen] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Start requesters and deliverers."""
        for _number in range(REQUESTERS):
            self._thread(lambda: self._again_and_again(self._request))
        for _number in range(DELIVERERS):
            self._thread(lambda: self._again_and_again(lambda: self._deliver(MAIL)))

    def deliver_slowly(self, seconds: float) -> None:
        """Start one more delivery, whose relay takes so long; return when its row is locked."""
        locked = threading.Event()
        self._thread(lambda: self._measured(lambda: self._deliver(seconds, locked)))
        locked.wait()

    def stop(self) -> None:
        """End them all."""
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def _thread(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            finally:
                connection.close()

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def _again_and_again(self, work: Callable[[], float]) -> None:
        while not self.stopped.wait(REST):
            self._measured(work)

    def _measured(self, work: Callable[[], float]) -> None:
        began, mail, failure = time.monotonic(), 0.0, ""
        try:
            mail = work()
        except Exception as error:  # noqa: BLE001  what goes wrong is what is counted
            failure = f"{type(error).__name__}: {error}".strip()
        ended = time.monotonic()
        self.seen.append(Seen(began, ended, ended - began - mail, failure))

    def _request(self) -> float:
        self.requests.create(**random.choice(self.templates), status="pending")  # noqa: S311
        return 0

    def _deliver(self, seconds: float, locked: threading.Event | None = None) -> float:
        """Deliver as ``delivery.deliver`` does; return how long the mail took."""
        pk = random.choice(self.undelivered)  # noqa: S311
        with transaction.atomic():
            self.requests.select_for_update().get(pk=pk)
            if locked:
                locked.set()
            time.sleep(seconds)
            self.requests.filter(pk=pk).update(status="sent")
        return seconds


def main() -> None:
    """Measure what the command line says, and write it down."""
    options = _options()
    os.environ.update(DJANGO_SETTINGS_MODULE="tests.settings", TEST_DATABASE_URL=options.database)
    django.setup()
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        _measure(options)
    finally:
        connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database", help="URL of a PostgreSQL or MySQL server and a name for the database")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--migration", choices=MIGRATIONS, default="0002")
    parser.add_argument("--plain", action="store_true", help="Django's own operations")
    parser.add_argument("--slow-relay", type=float, default=0, metavar="SECONDS")
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> None:
    before, after = MIGRATIONS[options.migration]
    traffic = _filled(options.rows, before)
    how = "plain" if options.plain else "online"
    _say(f"{_server()}, {after}, {how}, {options.rows} rows, slow relay: {options.slow_relay:g} s")
    traffic.start()
    try:
        _watch("before", traffic, lambda: time.sleep(WATCH))
        for phase, start, target in (("forward", before, after), ("backward", after, before)):
            if options.slow_relay:
                traffic.deliver_slowly(options.slow_relay)
            _watch(phase, traffic, partial(_migrate, start, target, plain=options.plain))
    finally:
        traffic.stop()


def _server() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version()")
        return f"{connection.vendor} {cursor.fetchone()[0].split(' (')[0]}"


def _filled(rows: int, before: str) -> Traffic:
    """Fill a database of the old schema, and return the traffic for it."""
    MigrationExecutor(connection).migrate([(APP, before)])
    apps = MigrationLoader(connection).project_state([(APP, before)]).apps
    requests = apps.get_model(APP, "UserCreditPathway").objects
    templates = _templates(apps)
    for age, values in enumerate(templates):
        requests.create(**values, status="sent", created=timezone.now() - timedelta(days=age))
    _double(rows, ["created", "modified", "status", *templates[0]])
    undelivered = requests.order_by("pk").values_list("pk", flat=True)[:20_000]
    return Traffic(requests=requests, templates=templates, undelivered=list(undelivered))


def _templates(apps: Any) -> list[dict[str, Any]]:
    """Make what requests point at, and return what each of them says."""
    site = apps.get_model("sites", "Site").objects.get()
    users, pathways, programs = (
        apps.get_model(*name).objects for name in (("auth", "User"), (APP, "Pathway"), (APP, "Program"))
    )
    keys = {
        "user_id": [users.create(username=f"learner{number}").pk for number in range(OTHERS)],
        "pathway_id": [pathways.create(site=site, uuid=uuid.uuid4(), name="P").pk for _number in range(OTHERS)],
        "program_id": [programs.create(site=site, uuid=uuid.uuid4(), title="A").pk for _number in range(OTHERS)],
    }
    columns = {column.attname for column in apps.get_model(APP, "UserCreditPathway")._meta.concrete_fields}
    return [
        {name: random.choice(some) for name, some in keys.items() if name in columns}  # noqa: S311
        for _number in range(DIFFERENT)
    ]


def _double(rows: int, names: list[str]) -> None:
    """Copy the rows until there are so many."""
    columns = ", ".join(names)
    with connection.cursor() as cursor:
        powers = (DIFFERENT * 2**power for power in itertools.count())
        for have in itertools.takewhile(lambda number: number < rows, powers):
            more = min(have, rows - have)
            cursor.execute(f"INSERT INTO {TABLE} ({columns}) SELECT {columns} FROM {TABLE} LIMIT {more}")
        # What a server would do on its own soon, in the middle of a measurement.
        cursor.execute(f"VACUUM ANALYZE {TABLE}" if connection.vendor == "postgresql" else f"ANALYZE TABLE {TABLE}")


def _migrate(start: str, target: str, *, plain: bool) -> None:
    """Migrate, and write down what each statement took."""
    with connection.execute_wrapper(_stopwatch):
        if plain:
            _migrate_plainly(start, target)
        else:
            MigrationExecutor(connection).migrate([(APP, target)])


def _migrate_plainly(start: str, target: str) -> None:
    steps = plain_steps(min(start, target), max(start, target))
    with connection.schema_editor() as editor:
        if start < target:
            for operation, before, after in steps:
                operation.database_forwards(APP, editor, before, after)
        else:
            for operation, before, after in reversed(steps):
                operation.database_backwards(APP, editor, after, before)


def _stopwatch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
    with _written_down(sql) if CHANGES.search(sql) else contextlib.nullcontext():
        return execute(sql, params, many, context)


@contextlib.contextmanager
def _written_down(sql: str) -> Iterator[None]:
    began = time.monotonic()
    result = "done"
    try:
        yield
    except Exception as error:
        result = str(error).strip()
        raise
    finally:
        _say(f"  {1000 * (time.monotonic() - began):8.0f} ms  {sql[:150]}  [{result}]")


def _watch(phase: str, traffic: Traffic, work: Callable[[], None]) -> None:
    """Do ``work``, and write down how the requests fared that began before it ended, and ended after it began."""
    began = time.monotonic()
    work()
    ended = time.monotonic()
    # For those that still wait.
    time.sleep(WATCH)
    found = [seen for seen in list(traffic.seen) if seen.began <= ended and seen.ended >= began]
    failures = Counter(seen.failure for seen in found if seen.failure)
    waits = sorted(1000 * seen.waited for seen in found) or [0]
    _say(
        f"{phase:9} {ended - began:6.1f} s  {len(found):5} requests, {failures.total()} failed; waited ms: "
        f"median {waits[len(waits) // 2]:.0f}, p99 {waits[len(waits) * 99 // 100]:.0f}, longest {waits[-1]:.0f}"
    )
    for failure, times in failures.items():
        _say(f"  {times} times {failure}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
