"""
What ``send`` is made of: each part's own time, without that of the parts that it calls.

``python -m benchmarks.breakdown``, with ``TEST_DATABASE_URL`` for another database than SQLite. The record is shared
already, and the mail sink is in memory.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from typing import Any

from benchmarks import run
from benchmarks.learner import Learner

RUNS = 300

_open: list[float] = []
_times: dict[str, float] = defaultdict(float)


def watch(part: str, owner: Any, name: str) -> None:
    """Let the time of ``owner.name`` count as the part's, that of watched calls in it not."""
    function = getattr(owner, name)

    @wraps(function)
    def watched(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        _open.append(0)
        try:
            return function(*args, **kwargs)
        finally:
            took = time.perf_counter() - began
            _times[part] += took - _open.pop()
            if _open:
                _open[-1] += took

    setattr(owner, name, watched)


def watch_all() -> None:
    """Watch what takes part in a request."""
    from django.contrib.auth import middleware
    from django.core.mail import EmailMultiAlternatives
    from django.db import connection, connections
    from django.db.backends.utils import CursorWrapper
    from django.db.models import QuerySet
    from edx_ace import ace, presentation

    from credit_pathways.rest_api.views import SendView

    watch("session and user, by Django", middleware, "get_user")
    watch("SQL", CursorWrapper, "execute")
    watch("SQL", type(connections[connection.alias]), "_commit")
    watch("SQL", type(connections[connection.alias]), "set_autocommit")
    for name in ("_fetch_all", "_filter_or_exclude", "create", "update"):
        watch("Django's ORM around the SQL", QuerySet, name)
    watch("edx-ace: rendering five templates", presentation, "render")
    watch("edx-ace: all else", ace, "send")
    watch("making the mail and handing it over", EmailMultiAlternatives, "send")
    watch("Django REST framework", SendView, "dispatch")
    watch("the app", SendView, "post")


def measure(send: Callable[[], Any]) -> dict[str, float]:
    """Return the milliseconds of each part: the medians."""
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(RUNS + 50):
        _times.clear()
        send()
        for part, seconds in _times.items() if number >= 50 else ():  # noqa: PLR2004
            found[part].append(1000 * seconds)
    return {part: statistics.median(times) for part, times in found.items()}


def main() -> None:
    """Print the parts, the largest first."""
    run.prepare()
    with run.database():
        learner = Learner(pathways=5, requests=0)
        watch_all()
        watch("Django: middleware, URLs, the test client", learner.client, "post")
        found = measure(learner.send(f"/records/programs/{learner.program.uuid}/send"))
    total = sum(found.values())
    for part, median in sorted(found.items(), key=lambda one: -one[1]):
        print(f"{median:7.2f} ms {median / total:5.0%}  {part}")
    print(f"{total:7.2f} ms 100%")


if __name__ == "__main__":
    main()
