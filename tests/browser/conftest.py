"""Chromium, and a demo for each test with the data that ``make demo`` loads."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support import demo_server
from tests.support.smtp import free_port
from tests.support.visitor import Visitor


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and give them time on a busy machine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture(scope="session")
def executable() -> str:
    """The path of Chromium. Without it, these tests are skipped, except in CI, where they fail."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found and os.environ.get("CI"):
        pytest.fail("no Chromium: apt install chromium")
    return found or pytest.skip("no Chromium")


@pytest.fixture(scope="session")
def chromium(executable: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # CI runs as root, which Chromium's sandbox does not support. The browser only opens the demo.
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A database with the demo's data, loaded once, and the port in its links."""
    database, port = tmp_path_factory.mktemp("demo") / "db.sqlite3", free_port()
    demo_server.load(database, f"127.0.0.1:{port}")
    return database, port


@pytest.fixture
def database(loaded: tuple[Path, int], tmp_path: Path) -> Path:
    """The database of the demo."""
    return Path(shutil.copy(loaded[0], tmp_path))


@pytest.fixture
def demo(loaded: tuple[Path, int], database: Path) -> Iterator[str]:
    """The address of a demo in its initial state."""
    with demo_server.serve(database, loaded[1]) as address:
        yield address


@pytest.fixture
def visitor(chromium: Browser, demo: str) -> Iterator[Callable[..., Visitor]]:
    """Return a function that opens a browser window for a person."""
    visitors = []

    def open_window(language: str = "en", width: int = 1280, *, script: bool = True) -> Visitor:
        size = {"width": width, "height": 800}
        context = chromium.new_context(locale=language, viewport=size, java_script_enabled=script)
        context.set_default_timeout(10_000)
        visitors.append(Visitor(context, demo, language))
        return visitors[-1]

    yield open_window
    for each in visitors:
        each.context.close()
    assert [each.errors for each in visitors] == [[] for _visitor in visitors]
