"""The demo, started like ``make demo``, with its own database and port."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import build_opener

#: Pathways and institutions, as shown in the dialog.
MASTER = ("Master of Science, 12 credits", "Northfield University")
DIPLOMA = ("Graduate Diploma in Data", "Lakeside Institute of Technology")
REFUSED = ("Evening Degree (its mail server refuses mail)", "Refused University")

STATISTICS = "Statistics and Data Science"
SUPPLY_CHAIN = "Supply Chain Management"

ROOT = Path(__file__).parents[2]
MANAGE = [sys.executable, "manage.py"]


def _environment(database: Path, settings: str = "demo.settings") -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": settings, "DEMO_DATABASE": str(database)}


def load(database: Path, domain: str) -> None:
    """Create the database and load the demo's data."""
    manage(database, "migrate_demo")
    manage(database, "load_demo", "--domain", domain)


def manage(database: Path, *command: str) -> str:
    """Run a management command and return its output."""
    result = subprocess.run(
        [*MANAGE, *command], cwd=ROOT, env=_environment(database), check=True, capture_output=True, text=True
    )
    return result.stdout


@contextmanager
def serve(database: Path, port: int, settings: str = "demo.settings") -> Iterator[str]:
    """Serve the demo inside the block, and yield its address."""
    command = [*MANAGE, "runserver", "--noreload", f"127.0.0.1:{port}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, env=_environment(database, settings), **quiet) as server:
        try:
            _wait_for(f"http://127.0.0.1:{port}/")
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()


def _wait_for(url: str) -> None:
    for _attempt in range(200):
        try:
            build_opener().open(url).close()
        except URLError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)
