"""A receiver of a host, for a while."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from django.dispatch import Signal


@contextlib.contextmanager
def connected(signal: Signal, receiver: Callable[..., Any], **options: Any) -> Iterator[None]:
    """Connect ``receiver`` to ``signal`` for the length of the block."""
    signal.connect(receiver, **options)
    try:
        yield
    finally:
        signal.disconnect(receiver, **options)
