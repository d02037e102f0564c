"""
Measure migration 0002 on a large table while requests keep arriving (ADR 0011).

With what ``requirements/services.txt`` lists, in the project's directory::

    python -m benchmarks.migrate_online postgres://postgres@127.0.0.1/bench --rows 1000000
    python -m benchmarks.migrate_online mysql://root@127.0.0.1/bench --rows 1000000 --plain --slow-relay 5

It makes a database (``test_bench`` in these examples), and drops it at the end. ``--plain`` measures what Django's own
``AddField`` costs, ``--slow-relay 5`` has a delivery of five seconds open when each migration begins. Nothing in it
fails for being slow.
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
from functools import partial
from typing import Any

import django
from django.db import connection, migrations, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

APP, BEFORE, AFTER = "credit_pathways", "0001_initial", "0002_usercreditpathway_program"
TABLE = "credit_pathways_usercreditpathway"
CHANGES = re.compile("(ALTER|CREATE|DROP) ")

#: How many threads request, and how long each rests in between; how many deliver, and how long a mail takes. Seconds.
REQUESTERS, REST = 4, 0.02
DELIVERERS, MAIL = 4, 0.25
#: How long to watch before, between and after the migrations.
WATCH = 5


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
    template: dict[str, Any]
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
        self.requests.create(**self.template, status="pending")
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
    parser.add_argument("--plain", action="store_true", help="Django's own AddField")
    parser.add_argument("--slow-relay", type=float, default=0, metavar="SECONDS")
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> None:
    traffic = _filled(options.rows)
    how = "plain AddField" if options.plain else "online"
    _say(f"{_server()}, {how}, {options.rows} rows, slow relay: {options.slow_relay:g} s")
    traffic.start()
    try:
        _watch("before", traffic, lambda: time.sleep(WATCH))
        for phase, target in (("forward", AFTER), ("backward", BEFORE)):
            if options.slow_relay:
                traffic.deliver_slowly(options.slow_relay)
            _watch(phase, traffic, partial(_migrate, target, plain=options.plain))
    finally:
        traffic.stop()


def _server() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version()")
        return f"{connection.vendor} {cursor.fetchone()[0].split(' (')[0]}"


def _filled(rows: int) -> Traffic:
    """Fill a database of the old schema, and return the traffic for it."""
    MigrationExecutor(connection).migrate([(APP, BEFORE)])
    apps = MigrationLoader(connection).project_state([(APP, BEFORE)]).apps
    site = apps.get_model("sites", "Site").objects.get()
    pathway = apps.get_model(APP, "Pathway").objects.create(site=site, uuid=uuid.uuid4(), name="P")
    user = apps.get_model("auth", "User").objects.create(username="halima")
    requests = apps.get_model(APP, "UserCreditPathway").objects
    template = {"pathway_id": pathway.pk, "user_id": user.pk}
    requests.create(**template, status="sent")
    _double(rows)
    undelivered = requests.order_by("pk").values_list("pk", flat=True)[:20_000]
    return Traffic(requests=requests, template=template, undelivered=list(undelivered))


def _double(rows: int) -> None:
    """Copy the one row until there are so many."""
    columns = "created, modified, status, pathway_id, user_id"
    with connection.cursor() as cursor:
        for have in itertools.takewhile(lambda number: number < rows, (2**power for power in itertools.count())):
            more = min(have, rows - have)
            cursor.execute(f"INSERT INTO {TABLE} ({columns}) SELECT {columns} FROM {TABLE} LIMIT {more}")  # noqa: S608
        # What a server would do on its own soon, in the middle of a measurement.
        cursor.execute(f"VACUUM ANALYZE {TABLE}" if connection.vendor == "postgresql" else f"ANALYZE TABLE {TABLE}")


def _migrate(target: str, *, plain: bool) -> None:
    """Migrate, and write down what each statement took."""
    with connection.execute_wrapper(_stopwatch):
        if plain:
            _migrate_plainly(target)
        else:
            MigrationExecutor(connection).migrate([(APP, target)])


def _migrate_plainly(target: str) -> None:
    loader = MigrationLoader(connection)
    before, after = (loader.project_state([(APP, name)]) for name in (BEFORE, AFTER))
    online: Any = loader.get_migration(APP, AFTER).operations[0]
    operation = migrations.AddField(online.model_name, online.name, online.field)
    with connection.schema_editor() as editor:
        if target == AFTER:
            operation.database_forwards(APP, editor, before, after)
        else:
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
