"""These tests need the unusual host."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.utils import translation

collect_ignore_glob = [] if settings.ROOT_URLCONF == "tests.unusual.urls" else ["test_*.py"]


@pytest.fixture(autouse=True)
def _usual_language() -> Iterator[None]:
    """A request for a page in another language leaves that language active."""
    with translation.override(settings.LANGUAGE_CODE):
        yield
