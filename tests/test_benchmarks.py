"""The benchmarks run, and each floor gives its case's answer. How long they take is not tested."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CASES = {"sync_catalog", "send", "page", "JSON", "admin list", "report", "export"}


@pytest.mark.benchmark
@pytest.mark.timeout(300)
def test_every_case_runs_on_sqlite():
    environment = {name: value for name, value in os.environ.items() if name != "TEST_DATABASE_URL"}
    command = [sys.executable, "-m", "benchmarks.run", "--rows", "300", "--runs", "1"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = re.findall(r"^([^,\n]*?)(?:, .*?)?  +\d+ +\d+\.\d+ ", done.stdout, re.MULTILINE)
    assert set(names) == CASES
