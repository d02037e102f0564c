"""Take the screenshots of the README from the demo: ``python -m tests.browser.screenshots FOLDER``."""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, sync_playwright

from tests.support import demo_server
from tests.support.demo_server import MASTER, REFUSED, STATISTICS
from tests.support.smtp import free_port


def main(folder: Path) -> None:
    with TemporaryDirectory() as temporary, sync_playwright() as playwright:
        database, port = Path(temporary) / "db.sqlite3", free_port()
        demo_server.load(database, f"127.0.0.1:{port}")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with demo_server.serve(database, port) as address:
            size = {"width": 960, "height": 1000}
            _take(folder, browser.new_context(locale="en", viewport=size).new_page(), address)
            _take_admin(folder, browser.new_context(locale="en", viewport=size).new_page(), address)
            small = {"width": 375, "height": 1000}
            _take_small(folder, browser.new_context(locale="ar", viewport=small).new_page(), address)
        browser.close()


def _log_in(page: Page, username: str) -> None:
    page.locator("#id_username").fill(username)
    page.locator("#id_password").fill("demo")
    page.keyboard.press("Enter")


def _take(folder: Path, page: Page, address: str) -> None:
    page.goto(f"{address}records/")
    _log_in(page, "halima")
    page.get_by_role("link", name=STATISTICS).click()
    page.get_by_role("button", name="Request credit").click()
    for name, _institution in (MASTER, REFUSED):
        page.get_by_label(name).check()
    page.screenshot(path=folder / "request-credit.png")
    page.get_by_role("button", name="Send", exact=True).click()
    page.screenshot(path=folder / "sent.png", full_page=True)
    page.get_by_role("link", name="Your credit requests").click()
    page.screenshot(path=folder / "credit-requests.png", full_page=True)
    page.go_back()
    page.get_by_role("link", name="Open as others see it").click()
    page.screenshot(path=folder / "public-record.png", full_page=True)


def _take_small(folder: Path, page: Page, address: str) -> None:
    page.goto(f"{address}records/")
    _log_in(page, "halima")
    page.get_by_role("link", name=STATISTICS).click()
    page.screenshot(path=folder / "arabic.png", full_page=True)


def _take_admin(folder: Path, page: Page, address: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 1000})
    page.goto(f"{address}admin/credit_pathways/usercreditpathway/report/")
    _log_in(page, "admin")
    page.locator("canvas").first.wait_for()
    page.screenshot(path=folder / "report.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
