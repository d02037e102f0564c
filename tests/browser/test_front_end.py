"""
The Learner Record front end of Open edX, built from its unmodified repository, against the demo.

See ``docs/how-to/install-in-credentials.rst`` on how to build it. ``LEARNER_RECORD_DIST`` is the folder of the build.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support import demo_server
from tests.support.visitor import Visitor

#: The host for which the front end was built.
HOST, PORT = "localhost:8000", 8000
PROGRAM = "b063c600-2935-5b55-8afd-e9e5103e1882"
PATHWAYS = [
    "Master of Science, 12 credits",
    "Graduate Diploma in Data",
    "Evening Degree (its mail server refuses mail)",
]

pytestmark = pytest.mark.skipif("LEARNER_RECORD_DIST" not in os.environ, reason="LEARNER_RECORD_DIST is not set")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with the demo's data."""
    demo_server.load(tmp_path / "db.sqlite3", HOST)
    return tmp_path / "db.sqlite3"


@pytest.fixture
def open_page(chromium: Browser, database: Path) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page of the front end, logged in or anonymously."""
    contexts: list[BrowserContext] = []

    def open_route(route: str, username: str = "") -> Page:
        contexts.append(chromium.new_context(permissions=["clipboard-read", "clipboard-write"]))
        contexts[-1].set_default_timeout(20_000)
        visitor = Visitor(contexts[-1], f"http://{HOST}/", "en")
        if username:
            visitor.open("accounts/login/")
            visitor.log_in(username)
        visitor.open(f"learner-record/{route}")
        return visitor.page

    with demo_server.serve(database, PORT, "tests.front_end.settings"):
        yield open_route
        for context in contexts:
            context.close()


def send(page: Page, *names: str) -> list[int]:
    """Send the record through these pathways, and return the statuses of the responses."""
    statuses: list[int] = []
    page.on("response", lambda response: statuses.append(response.status) if response.url.endswith("/send") else None)
    page.get_by_role("button", name="Send program record").click()
    dialog = page.get_by_role("dialog")
    for name in names:
        dialog.get_by_role("button", name=name).click()
    dialog.get_by_role("button", name="Send program record").click()
    expect(dialog).to_have_count(0)
    return statuses


def expect_alerts(page: Page, **counts: int) -> None:
    texts = {"sent": "You have successfully sent", "failed": "We were unable to send", "too_many": "Too many requests."}
    for name, count in counts.items():
        expect(page.locator(".alert", has_text=texts[name])).to_have_count(count)


def test_the_list_leads_to_the_record(open_page):
    page = open_page("", "halima")
    rows = page.locator("#program-records-list h3")
    expect(rows).to_have_text(["Statistics and Data Science", "Supply Chain Management"])
    page.get_by_role("button", name="View Program Record").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Statistics and Data Science Record")
    table = page.locator(".program-record-grades tbody tr")
    assert [row.locator("td").last.inner_text() for row in table.all()] == ["Earned"] * 2 + ["Not Earned"] * 2
    expect(page.locator(".learner-info")).to_contain_text("Halima Ó Briain")
    expect(page.locator(".program-headings")).to_contain_text("Example Online")


def test_several_of_which_one_fails_and_is_sent_again(open_page, database):
    page = open_page(PROGRAM, "halima")
    assert sorted(send(page, *PATHWAYS)) == [200, 200, 502]
    expect_alerts(page, sent=2, failed=1)
    page.get_by_role("button", name="Try Again").click()
    expect(page.get_by_role("button", name="Try Again")).to_be_enabled()
    expect_alerts(page, sent=2, failed=1)
    with sqlite3.connect(database, timeout=10) as connection:
        repaired = ["registrar@evening.example", PATHWAYS[2]]
        connection.execute("UPDATE credit_pathways_pathway SET email = ? WHERE name = ?", repaired)
    page.get_by_role("button", name="Try Again").click()
    expect_alerts(page, sent=3, failed=0)
    with sqlite3.connect(database) as connection:
        rows = connection.execute(
            "SELECT p.name, r.status FROM credit_pathways_usercreditpathway r"
            " JOIN credit_pathways_pathway p ON p.id = r.pathway_id ORDER BY r.id DESC LIMIT 5"
        ).fetchall()
    expected = [(name, "sent") for name in PATHWAYS] + [(PATHWAYS[2], "failed")] * 2
    assert sorted(rows) == sorted(expected)


def test_too_many(open_page):
    page = open_page(PROGRAM, "halima")
    for _time in range(7):
        assert send(page, *PATHWAYS[:2]) == [200, 200]
        page.reload()
    assert sorted(send(page, *PATHWAYS[:2])) == [200, 429]
    expect_alerts(page, sent=1, failed=0, too_many=1)


def test_share_copy_and_read_in_public(open_page):
    page = open_page(PROGRAM, "halima")
    page.get_by_role("button", name="Create program record link").click()
    page.get_by_role("button", name="Copy program record link").click()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"http://{HOST}/records/programs/shared/")
    page.reload()
    page.get_by_role("button", name="Copy program record link").click()
    again = page.evaluate("navigator.clipboard.readText()")
    assert again.rstrip("/") == link.rstrip("/")
    assert page.goto(again).status == 200

    public = open_page(f"shared/{link.rstrip('/').split('/')[-1]}")
    expect(public.get_by_role("heading", level=1)).to_have_text("Statistics and Data Science Record")
    expect(public.locator(".learner-info")).to_contain_text("Halima Ó Briain")
    assert "learners.example" not in public.content()
    expect(public.get_by_role("button", name="Send program record")).to_have_count(0)
    with public.expect_download() as download:
        public.get_by_role("button", name="Download program record").click()
    assert download.value.suggested_filename.endswith(".csv")
    assert "Halima Ó Briain" in Path(download.value.path()).read_text(encoding="utf-8-sig")


def test_a_dead_link(open_page):
    page = open_page("shared/00000000-0000-4000-8000-000000000000")
    expect(page.locator(".alert")).to_contain_text("An error occurred attempting to retrieve your program records")


def test_a_learner_without_records(open_page):
    expect(open_page("", "nobu").locator("#main-content")).to_contain_text("No records yet")
