"""The base class of the app's commands."""

import errno
import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from tqdm import tqdm

#: What ``call_command`` may get for an option without a value that was not given.
FALSE = {"", "0", "false", "n", "no", "off"}


def is_terminal(stream: Any) -> bool:
    """Return whether the stream is a terminal. It may be closed, or Celery's, which only writes to the log."""
    return getattr(stream, "isatty", bool)()


def progress_bar(items: Iterable[Any], name: str, total: int | None = None) -> Iterable[Any]:
    """Yield ``items``, with a progress bar on a terminal."""
    return tqdm(items, desc=name, total=total) if is_terminal(sys.stderr) else items


class Output:
    """
    Standard output or error, or the stream that a caller has given.

    The standard streams get UTF-8, whatever the terminal's encoding. Once a stream cannot be written, or its reader has
    closed it, the rest is dropped, so that a command can finish its work.
    """

    def __init__(self, find_stream: Callable[[], Any]) -> None:
        self.find_stream = find_stream
        self.error: OSError | None = None
        #: Whether the process ends with the command.
        self.is_last = False

    def write(self, text: str) -> None:
        stream = self.find_stream()
        if self.error is None and stream is not None:
            try:
                _write(stream, text)
            except OSError as error:
                self._drop(error)

    def flush(self) -> None:
        try:
            if self.error is None:
                getattr(self.find_stream(), "flush", bool)()
        except OSError as error:
            self._drop(error)

    def isatty(self) -> bool:
        return is_terminal(self.find_stream())

    def _drop(self, error: OSError) -> None:
        self.error = error
        if self.is_last:  # Python flushes the standard streams once more when it exits
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.find_stream().fileno())


def _write(stream: Any, text: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    is_standard = stream in (sys.stdout, sys.stderr) and hasattr(stream, "buffer")
    if is_standard and encoding.lower() not in {"utf-8", "utf8"}:
        stream.flush()
        stream.buffer.write(text.encode(errors="backslashreplace"))
    else:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _given(stream: Any) -> Output:
    """Return the output of a caller's stream, which may be the ``stdout`` of another command."""
    while isinstance(stream, OutputWrapper):
        stream = stream._out
    return stream if isinstance(stream, Output) else Output(lambda: stream)


class CreditPathwaysCommand(BaseCommand):
    """A command that works in every terminal, and through ``call_command`` with plain strings."""

    #: Whether the command has failed if its output cannot be written. A reader that closes it early is no failure.
    is_output_required = True

    def __init__(self, stdout: Any = None, stderr: Any = None, **options: Any) -> None:
        self.output = _given(stdout) if stdout else Output(lambda: sys.stdout)
        streams: list[Any] = [self.output, _given(stderr) if stderr else Output(lambda: sys.stderr)]
        super().__init__(*streams, **options)

    def run_from_argv(self, argv: list[str]) -> None:
        self.output.is_last = True
        super().run_from_argv(argv)

    def execute(self, *args: Any, **options: Any) -> str | None:
        given = {name: _given(options[name]) for name in ("stdout", "stderr") if options.get(name)}
        self.output = given.get("stdout", self.output)
        try:
            result = super().execute(*args, **{**options, **given, **self._converted(options)})
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
