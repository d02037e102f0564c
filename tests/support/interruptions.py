"""What happens while a migration runs: its process ends, or credit requests arrive."""

import contextlib
import itertools
import re
import threading
import time

from django.db import connection, transaction

CHANGE = re.compile("(ALTER|CREATE|DROP) ")


class Killed(Exception):
    """The process ended."""


@contextlib.contextmanager
def before_statement(number, do):
    """Call ``do`` before the statement of this number, from 0, of those that change a schema; yield if it came."""
    changes = itertools.count()
    reached = []

    def look(execute, sql, params, many, context):
        if CHANGE.search(sql) and next(changes) == number:
            reached.append(sql)
            do()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        yield reached


@contextlib.contextmanager
def killed_before(number):
    """End the process before the statement of this number; yield if it came to that."""
    with contextlib.suppress(Killed), before_statement(number, kill) as reached:
        yield reached
    if reached:
        connection.close()
        connection.connect()


def kill():
    raise Killed


def requests(apps):
    return apps.get_model("credit_pathways", "UserCreditPathway").objects


def another(apps, **values):
    """Write another credit request, as the software of that time does."""
    first = requests(apps).order_by("pk").first()
    return requests(apps).create(user_id=first.user_id, pathway_id=first.pathway_id, **values)


class Delivery:
    """A delivery with a slow relay, and learners who request credit meanwhile; each has a connection of its own."""

    def __init__(self, apps):
        self.requests = requests(apps)
        self.apps = apps
        self.locked, self.may_end = threading.Event(), threading.Event()
        self.failures = []
        self.threads = []

    def lock(self):
        self.start(self.deliver)
        assert self.locked.wait(10)

    def begin(self):
        self.lock()
        self.start(self.ask_soon)

    def end(self):
        self.may_end.set()
        for thread in self.threads:
            thread.join()

    def start(self, work):
        thread = threading.Thread(target=self.run, args=[work])
        self.threads.append(thread)
        thread.start()

    def run(self, work):
        try:
            work()
        except Exception as error:  # noqa: BLE001  the test looks at it
            self.failures.append(error)
        finally:
            connection.close()

    def deliver(self):
        with transaction.atomic():
            first, second = self.requests.order_by("pk")[:2]
            self.requests.select_for_update().get(pk=first.pk)
            self.requests.filter(pk=second.pk).update(status="failed")
            self.locked.set()
            assert self.may_end.wait(10), "nobody gets through"
            self.requests.filter(pk=first.pk).update(status="delivered")

    def ask_soon(self):
        # By then the migration waits for the delivery.
        time.sleep(0.2)
        self.ask()
        self.may_end.set()

    def ask(self):
        for _number in range(3):
            another(self.apps, status="asked")
