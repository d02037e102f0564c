"""Doing the same thing in several threads at once."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection


def at_once(times: int, function: Callable[[], Any]) -> list[Any]:
    """Call ``function`` in as many threads, started together; return what the calls returned."""
    barrier = threading.Barrier(times)
    returned = []

    def run() -> None:
        barrier.wait()
        try:
            returned.append(function())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return returned
