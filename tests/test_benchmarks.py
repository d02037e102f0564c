"""The benchmarks run, and each floor does its case's job; how long something takes is not tested."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import startup

ROOT = Path(__file__).parents[1]


@pytest.mark.timeout(300)
@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="they would make the database that the tests are in")
def test_every_case_has_a_floor_that_does_the_same(tmp_path):
    file = tmp_path / "bench.json"
    command = [sys.executable, "-m", "benchmarks.run", "--runs", "1", "--rows", "300", "--json", file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cases = {case["name"]: case for case in json.loads(file.read_text(encoding="utf-8"))["cases"]}
    assert len(cases) == done.stdout.count("\n") - 2 - done.stdout.count("times as long")
    assert {"send, shared already", "page; 5, 5, 0", "admin list, 300 requests", "start of a host"} <= cases.keys()
    assert cases["send, shared already"]["statements"] == 8
    assert cases["sync_catalog, nothing changed"]["statements"] == 5


def test_a_host_does_not_import_what_few_need_when_it_starts():
    imported = startup.imports().keys()
    assert {"credit_pathways", "model_utils", "django_filters"} <= imported
    assert (
        not {"import_export", "tablib", "openpyxl", "django_cte", "celery", "kombu", "edx_rest_api_client"} & imported
    )
