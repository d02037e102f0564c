"""The base class of the app's commands."""

import errno
import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

#: What ``call_command`` may get for an option without a value that was not given.
FALSE = {"", "0", "false", "no", "off"}


def is_terminal(stream: Any) -> bool:
    """Return whether the stream, which may be closed, is a terminal."""
    return stream is not None and stream.isatty()


def progress_bar(items: Iterable[Any], name: str, total: int | None = None) -> Iterable[Any]:
    """Yield ``items``, with a progress bar on a terminal."""
    return tqdm(items, desc=name, total=total) if is_terminal(sys.stderr) else items


class Output:
    """
    Standard output or error, wherever it leads.

    It gets UTF-8, whatever the terminal's encoding. Once it cannot be written, or its reader has closed it, the rest is
    dropped, so that a command can finish its work.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.error: OSError | None = None

    @property
    def _stream(self) -> Any:
        """``None`` if the process was started without it."""
        return getattr(sys, self.name)

    def write(self, text: str) -> None:
        if self.error is None and self._stream is not None:
            try:
                self._write(text.encode(errors="backslashreplace"))
            except OSError as error:
                self._drop(error)

    def _write(self, content: bytes) -> None:
        if (self._stream.encoding or "").lower() in {"utf-8", "utf8"} or not hasattr(self._stream, "buffer"):
            self._stream.write(content.decode())
        else:
            self._stream.flush()
            self._stream.buffer.write(content)

    def flush(self) -> None:
        if self.error is None and self._stream is not None:
            try:
                self._stream.flush()
            except OSError as error:
                self._drop(error)

    def isatty(self) -> bool:
        return is_terminal(self._stream)

    def _drop(self, error: OSError) -> None:
        self.error = error
        # Python flushes the standard streams once more when it exits.
        if self._stream in (sys.__stdout__, sys.__stderr__):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


class CreditPathwaysCommand(BaseCommand):
    """A command that works in every terminal, and through ``call_command`` with plain strings."""

    #: Whether the command has failed if its output cannot be written. A reader that closes it early is no failure.
    is_output_required = True

    def __init__(self, stdout: Any = None, stderr: Any = None, **options: Any) -> None:
        self.output = Output("stdout")
        streams: list[Any] = [stdout or self.output, stderr or Output("stderr")]
        super().__init__(*streams, **options)

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            result = super().execute(*args, **{**options, **self._converted(options)})
        except CommandError:
            if problem := self._problem_with_output():
                self.stderr.write(problem)
            raise
        if (problem := self._problem_with_output()) and self.is_output_required:
            raise CommandError(problem)
        return result

    def _problem_with_output(self) -> str:
        self.output.flush()
        error = self.output.error
        return f"The output cannot be written: {error.strerror}." if error and error.errno != errno.EPIPE else ""

    def _converted(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options that are strings but should not be: ``call_command`` does not parse optional ones."""
        actions = self.create_parser("", "")._actions
        return {
            action.dest: _convert(action, value)
            for action in actions
            if isinstance(value := options.get(action.dest), str)
        }


def _convert(action: Any, value: str) -> Any:
    if action.nargs == 0:
        return value.lower() not in FALSE
    if action.nargs == "*":
        return [value]
    try:
        return action.type(value) if action.type else value
    except (ValueError, ArgumentTypeError) as error:
        raise CommandError(f"{'/'.join(action.option_strings)}: {error}") from None
