"""Run the same function in several threads."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection


def run_concurrently(times: int, function: Callable[[], Any]) -> list[Any]:
    """Call ``function`` in ``times`` threads that start together, and return the results."""
    barrier = threading.Barrier(times)
    results = []

    def run() -> None:
        barrier.wait()
        try:
            results.append(function())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
