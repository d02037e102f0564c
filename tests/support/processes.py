"""Celery workers and gunicorn in processes of their own, restarted when they die, as by a service manager."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.support.smtp import free_port
from tests.support.threads import wait_until

ROOT = Path(__file__).parents[2]


class Process:
    """A command that runs in its own process group inside the ``with`` block, and writes its output to ``log``."""

    def __init__(self, *command: str, log: Path, environment: dict[str, str]) -> None:
        self.command, self.log = command, log
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        self.starts = 0
        self._is_stopping = threading.Event()
        self._restarter = threading.Thread(target=self._restart_when_dead, daemon=True)

    def __enter__(self) -> "Process":
        self._start()
        self._restarter.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._is_stopping.set()
        self._restarter.join()
        # After SIGTERM, a Celery worker needs about two seconds to stop.
        self.kill(signal.SIGKILL)
        self._process.wait()
        if error[0]:
            sys.stderr.write(self.output())

    def kill(self, number: int) -> None:
        """Send a signal to all processes in the group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def output(self) -> str:
        """Return what the processes have written so far."""
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

    def _restart_when_dead(self) -> None:
        while not self._is_stopping.is_set():
            try:
                self._process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            if not self._is_stopping.is_set():
                self.kill(signal.SIGKILL)
                self._start()


def worker_command(queue: str, processes: int) -> list[str]:
    """Return the arguments that start a worker for the queue, with this number of child processes."""
    options = "-A tests.services.worker worker --loglevel info --without-gossip --without-mingle"
    return ["celery", *options.split(), "-Q", queue, "-c", str(processes)]


class Web(Process):
    """gunicorn with the test project, on ``port``."""

    def __init__(self, log: Path, environment: dict[str, str], workers: int, threads: int) -> None:
        self.port = free_port()
        size = ["-w", str(workers), "--threads", str(threads), "-b", f"127.0.0.1:{self.port}"]
        super().__init__("gunicorn", *size, "tests.services.wsgi", log=log, environment=environment)

    def __enter__(self) -> "Web":
        super().__enter__()
        wait_until(self.is_up)
        return self

    def is_up(self) -> bool:
        try:
            self.post("/", "", {})
        except OSError:
            return False
        return True

    def post(self, path: str, session: str, body: str | dict[str, Any]) -> int:
        """Post JSON with a learner's session key, and return the HTTP status."""
        return self._post(path, session, json.dumps(body), "application/json")

    def post_form(self, path: str, session: str, fields: dict[str, Any]) -> int:
        """Post a form with a learner's session key, and return the HTTP status."""
        return self._post(path, session, urlencode(fields, doseq=True), "application/x-www-form-urlencoded")

    def _post(self, path: str, session: str, body: str, content_type: str) -> int:
        token = "t" * 32
        headers = {
            "Cookie": f"sessionid={session}; csrftoken={token}",
            "X-CSRFToken": token,
            "Content-Type": content_type,
        }
        http = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            http.request("POST", path, body, headers)
            return http.getresponse().status
        finally:
            http.close()
