"""Real processes: a Celery worker and gunicorn, each started anew when it dies, as a service manager does."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Process:
    """A command that runs in a process group of its own until it is stopped; what it says is in ``log``."""

    def __init__(self, *command: str, log: Path, environment: dict[str, str]) -> None:
        self.command, self.log = command, log
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        self.starts = 0
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> "Process":
        self._start()
        self._keeper.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._ending.set()
        self.kill(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill(signal.SIGKILL)
        self._keeper.join()

    def kill(self, number: int) -> None:
        """Send a signal to all processes of the group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def said(self) -> str:
        """Return what the processes have written."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self.command],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _keep(self) -> None:
        while not self._ending.is_set():
            try:
                self._process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            if not self._ending.is_set():
                self.kill(signal.SIGKILL)
                self._start()
