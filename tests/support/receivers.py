"""Connect a host's receiver to a signal temporarily."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from celery.utils.dispatch import Signal as CelerySignal
from django.dispatch import Signal


@contextlib.contextmanager
def connected(signal: Signal | CelerySignal, receiver: Callable[..., Any], **options: Any) -> Iterator[None]:
    """Connect ``receiver`` to ``signal`` inside the block."""
    signal.connect(receiver, **options)
    try:
        yield
    finally:
        signal.disconnect(receiver, sender=options.get("sender"))
