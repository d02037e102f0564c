"""Hooks of schemathesis, which runs in its own process."""

import os
import re
from pathlib import Path

import schemathesis

UUID = re.compile("[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Only send what matches a URL pattern of the app. For other paths, the host has its own page."""
    return all(UUID.fullmatch(str(value)) for value in (case.path_parameters or {}).values())


@schemathesis.hook
def after_call(context: schemathesis.HookContext, case: schemathesis.Case, response: schemathesis.Response) -> None:
    """Note the status of each response, because the test checks that all documented ones occur."""
    with Path(os.environ["STATUSES_FILE"]).open("a", encoding="utf-8") as file:
        file.write(f"{case.operation.definition.raw['operationId']} {response.status_code}\n")
