"""Run functions in threads."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection


def run_together(*functions: Callable[[], Any]) -> list[Any]:
    """Call the functions in threads that start together, and return their results in the order in which they end."""
    barrier = threading.Barrier(len(functions))
    results = []

    def run(function: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results.append(function())
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[function]) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def run_concurrently(times: int, function: Callable[[], Any]) -> list[Any]:
    """Call ``function`` in ``times`` threads that start together, and return the results."""
    return run_together(*[function] * times)
