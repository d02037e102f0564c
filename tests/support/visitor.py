"""A person at a browser, who is never shown a page that somebody could not use."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from django.utils import translation
from django.utils.translation import gettext
from playwright.sync_api import BrowserContext, Locator, Page, expect

#: The rules that axe has for WCAG 2.2 AA; the app's own pages keep those for good practice as well.
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")

#: Bytes of HTML, CSS and JavaScript that a page of the app may be.
WEIGHT = 60_000

#: What the browser says of a page that is not found, and of a button that older browsers read in another way.
HARMLESS = ("the server responded with a status of 4", "popovertarget is ignored")


class Visitor:
    """One person, with a browser window of one width in one language, with JavaScript or without."""

    def __init__(self, context: BrowserContext, address: str, language: str) -> None:
        self.context, self.address, self.language = context, address, language
        self.page: Page = context.new_page()
        #: Scripts and styles that the policy stopped, errors of scripts, requests to other hosts.
        self.trouble: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))
        self.has_script = self.page.evaluate("matchMedia('(scripting: enabled)').matches")

    def _heard(self, message: Any) -> None:
        if message.type in {"error", "warning"} and not any(text in message.text for text in HARMLESS):
            self.trouble.append(message.text)

    def _asked(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.address).netloc and not url.startswith(("about:", "data:")):
            self.trouble.append(f"asked another host: {url}")

    def says(self, text: str, **names: Any) -> str:
        """Return one of the app's texts, or of Django's, in the visitor's language."""
        with translation.override(self.language):
            return gettext(text) % names if names else gettext(text)

    def open(self, path: str) -> None:
        """Go to an address of the demo."""
        self.page.goto(self.address + path)

    def log_in(self, username: str) -> None:
        """Fill in the form, as somebody with a keyboard does."""
        self.page.locator("#id_username").fill(username)
        self.page.locator("#id_password").fill("demo")
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#id_password")).to_have_count(0)

    def button(self, text: str) -> Locator:
        """Return the button with these words that can be seen."""
        return self.page.get_by_role("button", name=self.says(text), exact=True)

    def link(self, text: str) -> Locator:
        """Return the link with these words, which are the app's."""
        return self.page.get_by_role("link", name=self.says(text), exact=True)

    @property
    def messages(self) -> list[tuple[str, str]]:
        """The level and the text of each message."""
        found = self.page.locator(".cp-message")
        levels = [str(item.get_attribute("class")).split("cp-message-")[1] for item in found.all()]
        return list(zip(levels, found.all_inner_texts(), strict=True))

    def rows(self, table: str = "table") -> list[list[str]]:
        """Return the cells of each row of a table's body."""
        rows = self.page.locator(f"{table} tbody tr").all()
        return [[text.strip() for text in row.locator("th, td").all_inner_texts()] for row in rows]

    @property
    def focus(self) -> Locator:
        """What has the focus."""
        return self.page.locator(":focus")

    def check(self, *, app: bool = True) -> None:
        """Everybody can use the page as it is now; ``app``: it is the app's own, and as light as those are."""
        self.page.wait_for_load_state("load")
        assert self.trouble == []
        scroller = self.page.evaluate("[document.scrollingElement.scrollWidth, document.scrollingElement.clientWidth]")
        assert scroller[0] <= scroller[1], f"wider than the window: {scroller}"
        assert self.page.locator("html").get_attribute("lang").lower() == self.language
        assert self.page.locator("html").get_attribute("dir") == ("rtl" if self.language == "ar" else "ltr")
        violations = self._violations([*WCAG, "best-practice"] if app else WCAG)
        assert not violations, violations
        if app:
            self._is_light()

    def _violations(self, tags: Sequence[str]) -> Sequence[Any]:
        options = {"runOnly": {"type": "tag", "values": tags}, "rules": {"target-size": {"enabled": True}}}
        page = self.page if self.has_script else self._same_page_with_script()
        found = Axe().run(page, options=options).response["violations"]
        if page is not self.page:
            page.context.close()
        # What axe itself may not do under the page's policy is no trouble of the page's.
        self.trouble.clear()
        return [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found]

    def _same_page_with_script(self) -> Page:
        """Return what the visitor sees in a window in which axe can run."""
        html, url = self.page.content(), self.page.url
        browser = self.context.browser
        assert browser is not None
        page = browser.new_context(locale=self.language, viewport=self.page.viewport_size).new_page()
        page.route(url, lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
        page.goto(url)
        return page

    def _is_light(self) -> None:
        """One HTML, one CSS, at most one JavaScript file, less than 60 kB together, uncompressed."""
        entries = self.page.evaluate(
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".map((entry) => [entry.name, entry.decodedBodySize]).filter(([name]) => !name.endsWith('/favicon.ico'))"
        )
        kinds = [Path(urlsplit(name).path).suffix or ".html" for name, _size in entries]
        assert sorted(kinds) in ([".css", ".html"], [".css", ".html", ".js"]), entries
        assert 1_000 < sum(size for _name, size in entries) < WEIGHT
