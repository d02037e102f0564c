"""What is imported when a host starts."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: A host as its web server starts it, with its models, admin and URLs. Prints the top-level packages it has imported.
START = """
import sys
import django
django.setup()
from django.urls import get_resolver
for pattern in get_resolver().url_patterns:
    pattern.url_patterns
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_a_host_does_not_import_what_few_need():
    command = [sys.executable, "-c", START]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(done.stdout.split())
    assert {"credit_pathways", "model_utils", "django_filters"} <= imported
    assert (
        not {"import_export", "tablib", "openpyxl", "django_cte", "celery", "kombu", "edx_rest_api_client"} & imported
    )
