"""What the app adds to the start of a host beyond Django, Django REST framework and edx-ace."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Figures, figures

ROOT = Path(__file__).parents[1]

#: A host as its web server starts it: apps, models, admin and URLs; at the end it prints its milliseconds.
HOST = """
import sys, time
began = time.perf_counter()
with_the_app = "app" in sys.argv
from types import ModuleType
import django
from django.conf import settings
django_apps = ["admin", "auth", "contenttypes", "messages", "sessions", "sites", "staticfiles"]
settings.configure(
    INSTALLED_APPS=[
        *(f"django.contrib.{name}" for name in django_apps), "rest_framework",
        *(["django_filters", "credit_pathways"] if with_the_app else []),
    ],
    SECRET_KEY="host", SITE_ID=1, USE_TZ=True, ROOT_URLCONF="host_urls",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
)
django.setup()
import rest_framework.generics, rest_framework.serializers, rest_framework.throttling, rest_framework.views
from edx_ace import ace, message, recipient
from django.contrib import admin
from django.urls import get_resolver, include, path
urls = sys.modules["host_urls"] = ModuleType("host_urls")
urls.urlpatterns = [path("admin/", admin.site.urls)]
if with_the_app:
    urls.urlpatterns.append(path("records/", include("credit_pathways.urls")))
for pattern in get_resolver().url_patterns:
    pattern.url_patterns
print(1000 * (time.perf_counter() - began))
"""


def _start(*arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-c", HOST, *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603


def _milliseconds(*arguments: str) -> float:
    return float(_start(*arguments).stdout)


def measured(runs: int) -> Iterator[Figures]:
    """Start hosts with the app and without, in turns, after one of each that does not count."""
    _milliseconds("app"), _milliseconds()
    turns = [(_milliseconds("app"), _milliseconds()) for _run in range(min(runs, 25))]
    yield figures("start of a host", turns, beside="a host without the app")


def imports() -> Counter[str]:
    """Return the milliseconds of each top-level package's modules that only a host with the app imports."""
    own, without = (_imported(*arguments) for arguments in (["app"], []))
    found: Counter[str] = Counter()
    for module, microseconds in own.items():
        if module not in without:
            found[module.partition(".")[0]] += microseconds / 1000  # type: ignore[assignment]
    return found


def _imported(*arguments: str) -> dict[str, int]:
    """Return each imported module's own microseconds, as ``python -X importtime`` has them."""
    lines = _start(*arguments, options=("-X", "importtime")).stderr.splitlines()
    times = [line.removeprefix("import time:").split("|") for line in lines if line.startswith("import time:")]
    return {module.strip(): int(own) for own, _all, module in times if own.strip().isdigit()}


if __name__ == "__main__":
    found = imports()
    for package, milliseconds in found.most_common():
        print(f"{milliseconds:7.1f} ms  {package}")
    print(f"{found.total():7.1f} ms  imported for the app")
    [start] = measured(25)
    print(f"{start.median - start.floor:7.1f} ms  added to the start of a host")
