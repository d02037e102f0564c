"""Run functions in threads, and wait for what others do."""

import threading
import time
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


def wait_until(done: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until ``done()`` is true. Raises ``TimeoutError`` after ``seconds``."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(done)
        time.sleep(0.05)
