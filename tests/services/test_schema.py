"""
schemathesis calls the demo's API with what its OpenAPI schema allows and with what it forbids, as each kind of user.

There must be no server error, and no response that the schema does not describe.
"""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from tests.support import demo_server
from tests.support.smtp import free_port

pytestmark = [
    pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="the demo uses SQLite, so one run is enough"),
    pytest.mark.timeout(300),
]

#: A username of the demo for each kind of user.
USERNAMES = {"anonymous": "", "learner": "dario", "staff": "admin"}

#: In the name of a pathway whose mail server waits for seconds.
SLOW = "takes its time"

#: All of schemathesis' default checks, with these exceptions:
#: - A 502 means that a mail server refused the email, as that of one pathway does.
#: - An empty filter is no filter, and dates before 1900 are refused. A schema cannot say either.
#: Values that exist are more frequent than others, and do not depend on earlier responses.
CONFIG = """
hooks = "tests.support.schema_hooks"

[generation]
deterministic = true
database = "none"
max-examples = 30
with-security-parameters = false

[phases.fuzzing.extra-data-sources]
responses = false

[headers]
{headers}

[dictionaries]
uuids = {{ values = {uuids} }}
usernames = {{ values = {usernames} }}
pathways = {{ values = {pathways} }}

[parameters]
"path.uuid" = {{ dictionary = "uuids", probability = 0.5 }}
"body.username" = {{ dictionary = "usernames", probability = 0.8 }}
"body.pathway_id" = {{ dictionary = "pathways", probability = 0.8 }}

[[operations]]
include-operation-id = "send"
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 502]

[[operations]]
include-operation-id = "credit_requests_list"
checks.negative_data_rejection.enabled = false
checks.positive_data_acceptance.enabled = false
"""

#: Documented responses that need a Celery worker, or a request to an unknown site. The demo's authentication has no
#: challenge, so there is no 401 either, and schemathesis accepts every content type, so there is no 406.
NEVER_IN_THE_DEMO = {"send 202", "program_records_list 404"}


class Run(NamedTuple):
    """A run of schemathesis: its report, and the operation and status of each response."""

    exit_status: int
    report: str
    statuses: set[str]


def log_in(address: str, username: str) -> requests.Session:
    """Return a session, which sends its CSRF token with each request."""
    session = requests.Session()
    session.get(f"{address}accounts/login/").raise_for_status()
    session.headers["X-CSRFToken"] = session.cookies["csrftoken"]
    if username:
        session.post(f"{address}accounts/login/", {"username": username, "password": "demo"}).raise_for_status()
        session.headers["X-CSRFToken"] = session.cookies["csrftoken"]
    return session


def existing_values(address: str) -> dict[str, list[Any]]:
    """Return uuids, of programs with and without a record and pathways and of a public link, and ids of pathways."""
    records = f"{address}records/api/v1/program_records/"
    learner, other = log_in(address, USERNAMES["learner"]), log_in(address, "halima")
    programs, others = (
        [program["uuid"] for program in session.get(records).json()["enrolled_programs"]]
        for session in (learner, other)
    )
    pathways = chain(*(learner.get(f"{records}{uuid}/").json()["record"]["pathways"] for uuid in programs))
    link = other.post(f"{address}records/programs/{others[0]}/share", json={"username": "halima"}).json()["url"]
    return {
        "uuids": [*programs, *(uuid.replace("-", "") for uuid in others), link.split("/")[-2]],
        "pathways": sorted({pathway["id"] for pathway in pathways if SLOW not in pathway["name"]}),
    }


def configuration(address: str, username: str) -> str:
    session = log_in(address, username)
    headers = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in session.cookies.items()),
        "X-CSRFToken": session.headers["X-CSRFToken"],
    }
    return CONFIG.format(
        headers="\n".join(f"{name} = {json.dumps(value)}" for name, value in headers.items()),
        usernames=[username or USERNAMES["learner"]],
        **existing_values(address),
    )


def run_schemathesis(folder: Path, username: str, settings: str) -> Run:
    """Run schemathesis on a demo with the database in the folder, which also gets its files."""
    config, statuses = folder / "schemathesis.toml", folder / "statuses"
    with demo_server.serve(folder / "db.sqlite3", free_port(), settings) as address:
        config.write_text(configuration(address, username), encoding="utf-8")
        result = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "--config-file", config, "run", f"{address}api/schema/"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(demo_server.ROOT), "STATUSES_FILE": str(statuses)},
            check=False,
            capture_output=True,
            text=True,
        )
    return Run(result.returncode, result.stdout + result.stderr, set(statuses.read_text(encoding="utf-8").splitlines()))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Run schemathesis as each kind of user, at the same time, each on its own demo."""
    loaded = tmp_path_factory.mktemp("loaded") / "db.sqlite3"
    demo_server.load(loaded, "127.0.0.1")

    def run(kind: str) -> Run:
        folder = tmp_path_factory.mktemp(kind)
        shutil.copy(loaded, folder)
        # The flood guard would refuse most of what a learner sends. Staff cannot send anything, and so reach it.
        settings = "tests.support.unthrottled_settings" if kind == "learner" else "demo.settings"
        return run_schemathesis(folder, USERNAMES[kind], settings)

    with ThreadPoolExecutor() as pool:
        return dict(zip(USERNAMES, pool.map(run, USERNAMES), strict=True))


@pytest.mark.parametrize("kind", USERNAMES)
def test_every_response_is_in_the_schema(kind, runs):
    assert runs[kind].exit_status == 0, runs[kind].report


def test_every_response_in_the_schema_occurs(runs, tmp_path):
    """Otherwise, the requests would not reach all of a view, or the schema would describe what never happens."""
    schema = json.loads(demo_server.manage(tmp_path / "db.sqlite3", "spectacular", "--format", "openapi-json"))
    operations = [operation for item in schema["paths"].values() for operation in item.values()]
    documented = {
        f"{operation['operationId']} {status}" for operation in operations for status in operation["responses"]
    }
    missing = documented.difference(*(run.statuses for run in runs.values()))
    assert {item for item in missing if not item.endswith((" 401", " 406"))} == NEVER_IN_THE_DEMO
