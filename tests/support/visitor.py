"""A person with a browser, and checks that the pages they see are accessible."""

import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from unicodedata import normalize
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from django.utils import translation
from django.utils.translation import gettext
from playwright.sync_api import BrowserContext, Locator, Page, expect
from pypdf import PdfReader

#: axe's rules for WCAG 2.2 AA. The app's own pages also follow its best practices.
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")

#: In bytes: HTML, CSS and JavaScript of a page of the app, uncompressed.
MAX_PAGE_SIZE = 60_000

#: Console messages for a missing page, and for a button with a fallback for older browsers.
EXPECTED_CONSOLE_MESSAGES = ("the server responded with a status of 4", "popovertarget is ignored")


class Visitor:
    """One person with a browser window, in one language, with or without JavaScript."""

    def __init__(self, context: BrowserContext, address: str, language: str) -> None:
        self.context, self.address, self.language = context, address, language
        self.page: Page = context.new_page()
        #: Violations of the content security policy, JavaScript errors, and requests to other hosts.
        self.errors: list[str] = []
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._on_request(request.url))
        self.has_script = self.page.evaluate("matchMedia('(scripting: enabled)').matches")

    def _on_console(self, message: Any) -> None:
        if message.type in {"error", "warning"} and not any(text in message.text for text in EXPECTED_CONSOLE_MESSAGES):
            self.errors.append(message.text)

    def _on_request(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.address).netloc and not url.startswith(("about:", "data:")):
            self.errors.append(f"request to another host: {url}")

    def translate(self, text: str, **names: Any) -> str:
        """Translate a text of the app or of Django into the visitor's language."""
        with translation.override(self.language):
            return gettext(text) % names if names else gettext(text)

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def log_in(self, username: str) -> None:
        """Fill in the login form with the keyboard."""
        self.page.locator("#id_username").fill(username)
        self.page.locator("#id_password").fill("demo")
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#id_password")).to_have_count(0)

    def button(self, text: str) -> Locator:
        """Return the visible button with this text, which is translated."""
        return self.page.get_by_role("button", name=self.translate(text), exact=True)

    def link(self, text: str) -> Locator:
        """Return the link with this text, which is translated."""
        return self.page.get_by_role("link", name=self.translate(text), exact=True)

    @property
    def messages(self) -> list[tuple[str, str]]:
        """The level and the text of each message on the page."""
        self.page.wait_for_load_state()
        found = self.page.locator(".cp-message")
        levels = [str(item.get_attribute("class")).split("cp-message-")[1] for item in found.all()]
        return list(zip(levels, found.all_inner_texts(), strict=True))

    def rows(self, table: str = "table") -> list[list[str]]:
        """Return the texts of the cells in each row of a table's body."""
        self.page.wait_for_load_state()
        rows = self.page.locator(f"{table} tbody tr").all()
        return [[text.strip() for text in row.locator("th, td").all_inner_texts()] for row in rows]

    @property
    def focused(self) -> Locator:
        return self.page.locator(":focus")

    def check(self, *, app: bool = True) -> None:
        """Check that the page is accessible and fits the window, and that a page of the app is small enough."""
        self.page.wait_for_load_state("load")
        assert self.errors == []
        scroller = self.page.evaluate("[document.scrollingElement.scrollWidth, document.scrollingElement.clientWidth]")
        assert scroller[0] <= scroller[1], f"wider than the window: {scroller}"
        assert self.page.locator("html").get_attribute("lang").lower() == self.language
        assert self.page.locator("html").get_attribute("dir") == ("rtl" if self.language == "ar" else "ltr")
        violations = self._violations([*WCAG, "best-practice"] if app else WCAG)
        assert not violations, violations
        if app:
            self._check_size()

    def _violations(self, tags: Sequence[str]) -> Sequence[Any]:
        options = {"runOnly": {"type": "tag", "values": tags}, "rules": {"target-size": {"enabled": True}}}
        page = self.page if self.has_script else self._same_page_with_script()
        found = Axe().run(page, options=options).response["violations"]
        if page is not self.page:
            page.context.close()
        # axe itself violates the page's content security policy.
        self.errors.clear()
        return [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found]

    def _same_page_with_script(self) -> Page:
        """Open the visitor's page in a context with JavaScript, which axe needs."""
        html, url = self.page.content(), self.page.url
        browser = self.context.browser
        assert browser is not None
        page = browser.new_context(locale=self.language, viewport=self.page.viewport_size).new_page()
        page.route(url, lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
        page.goto(url)
        return page

    def _check_size(self) -> None:
        """One HTML, one CSS and at most one JavaScript file."""
        entries = self.page.evaluate(
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".map((entry) => [entry.name, entry.decodedBodySize]).filter(([name]) => !name.endsWith('/favicon.ico'))"
        )
        kinds = [Path(urlsplit(name).path).suffix or ".html" for name, _size in entries]
        assert sorted(kinds) in ([".css", ".html"], [".css", ".html", ".js"]), entries
        assert 1_000 < sum(size for _name, size in entries) < MAX_PAGE_SIZE


def open_record(who, username, program):
    """Log in and go to a Program Record page."""
    who.open("records/")
    who.log_in(username)
    who.page.get_by_role("link", name=program, exact=True).click()
    who.page.wait_for_load_state()


def request_credit(who, *pathways):
    who.button("Request credit").click()
    for name, _institution in pathways:
        who.page.get_by_label(name).check()
    who.button("Send").click()
    results = who.page.locator(".cp-results[role=status]")
    expect(results).to_be_focused()
    expect(results).to_have_accessible_description(re.compile(r"\w"))


def printed_pages(who):
    """Return the text of each printed page."""
    pages = PdfReader(BytesIO(who.page.pdf(format="A4"))).pages
    return [compact(page.extract_text()) for page in pages]


def compact(text):
    """Remove white space and the font's ligatures, which are in the text of a PDF."""
    return "".join(normalize("NFKC", text).split())
