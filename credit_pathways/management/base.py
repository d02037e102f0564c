"""The base class of the app's commands."""

import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class CreditPathwaysCommand(BaseCommand):
    """
    A command that works in every terminal, and through ``call_command`` with plain strings.

    It writes UTF-8, whatever the terminal's encoding; ends quietly if the reader of its output does, as ``head`` does;
    and reports an output that cannot be written.
    """

    def execute(self, *args: Any, **options: Any) -> str | None:
        with _utf8(sys.stdout), _utf8(sys.stderr):
            try:
                output = super().execute(*args, **{**options, **self._converted(options)})
                self.stdout.flush()
                return output
            except BrokenPipeError:
                self._discard_output()
                return None
            except OSError as error:
                self._discard_output()
                raise CommandError(f"The output cannot be written: {error.strerror}.") from error

    def _converted(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options that are strings but should not be: ``call_command`` does not parse optional ones."""
        actions = self.create_parser("", "")._actions
        return {
            action.dest: _convert(action, value)
            for action in actions
            if action.type and isinstance(value := options.get(action.dest), str)
        }

    def _discard_output(self) -> None:
        """Keep Python from failing again when it flushes what is left."""
        stream = getattr(self.stdout, "_out", None)
        if stream is not None and stream is sys.stdout:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _convert(action: Any, value: str) -> Any:
    try:
        return action.type(value)
    except (ValueError, ArgumentTypeError) as error:
        raise CommandError(f"{'/'.join(action.option_strings)}: {error}") from None


@contextmanager
def _utf8(stream: Any) -> Iterator[None]:
    """Let ``stream`` write UTF-8 inside the block. A stream of the caller's, such as a ``StringIO``, is left alone."""
    if not hasattr(stream, "reconfigure"):
        yield
        return
    encoding, errors = stream.encoding, stream.errors
    stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        yield
    finally:
        stream.reconfigure(encoding=encoding, errors=errors)
