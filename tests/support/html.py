"""Reading pages and their forms, as a browser does."""

from html.parser import HTMLParser
from typing import Any

#: Elements without an end tag.
VOID_ELEMENTS = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

Attributes = dict[str, str | None]


class Page(HTMLParser):
    """A parsed page. Methods identify an element by its index in ``elements``."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes]] = []
        #: The ancestors of each element.
        self.ancestors: list[tuple[int, ...]] = []
        #: Each piece of text, and its ancestors.
        self.texts: list[tuple[str, tuple[int, ...]]] = []
        self._open: list[int] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        self.ancestors.append(tuple(self._open))
        if tag not in VOID_ELEMENTS:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID_ELEMENTS:
            assert self.elements[self._open.pop()][0] == tag, f"</{tag}> does not match"

    def handle_data(self, data: str) -> None:
        self.texts.append((data, tuple(self._open)))

    def attributes(self, element: int) -> Attributes:
        return self.elements[element][1]

    def text_of(self, element: int) -> str:
        return " ".join("".join(text for text, ancestors in self.texts if element in ancestors).split())

    def find_all(self, tag: str, *, inside: int | None = None, css_class: str = "") -> list[int]:
        return [
            element
            for element, (name, attrs) in enumerate(self.elements)
            if name == tag
            and (inside is None or inside in self.ancestors[element])
            and css_class in ["", *(attrs.get("class") or "").split()]
        ]

    @property
    def text(self) -> str:
        return " ".join(" ".join(text for text, _ancestors in self.texts).split())

    @property
    def hrefs(self) -> list[str | None]:
        return [self.attributes(element).get("href") for element in self.find_all("a")]

    @property
    def buttons(self) -> list[str]:
        return [self.text_of(element) for element in self.find_all("button")]

    @property
    def messages(self) -> list[str]:
        return [self.text_of(element) for element in self.find_all("li", css_class="cp-message")]

    @property
    def rows(self) -> list[list[str]]:
        """The cells of every table row."""
        return [
            [self.text_of(cell) for kind in ("th", "td") for cell in self.find_all(kind, inside=row)]
            for row in self.find_all("tr")
        ]

    @property
    def checkboxes(self) -> list[Attributes]:
        """The attributes of each enabled checkbox."""
        inputs = [self.attributes(element) for element in self.find_all("input")]
        return [attrs for attrs in inputs if attrs.get("type") == "checkbox" and "disabled" not in attrs]

    @property
    def choices(self) -> list[str]:
        """The label of each checkbox of a pathway."""
        return [self.text_of(element) for element in self.find_all("label", css_class="cp-choice")]

    def link(self, text: str) -> str:
        """Return the URL of the link with this text."""
        return next(
            str(self.attributes(element)["href"]) for element in self.find_all("a") if self.text_of(element) == text
        )

    def opened_by(self, text: str) -> int:
        """Return the popover that the button with this text opens without JavaScript."""
        buttons = [self.attributes(element) for element in self.find_all("button") if self.text_of(element) == text]
        [target] = [attrs["popovertarget"] for attrs in buttons if "popovertarget" in attrs]
        [popover] = [
            n for n, (_tag, attrs) in enumerate(self.elements) if attrs.get("id") == target and "popover" in attrs
        ]
        return popover

    def form_submitted_by(self, text: str) -> tuple[int, Attributes, dict[str, str]]:
        """Return the form that the button with this text submits, its attributes, and its hidden fields."""
        buttons = [element for element in self.find_all("button") if self.text_of(element) == text]
        [button] = [b for b in buttons if self.attributes(b).get("type", "submit") == "submit"]
        [form] = [element for element in self.ancestors[button] if self.elements[element][0] == "form"]
        assert not any("hidden" in self.attributes(element) for element in (form, *self.ancestors[form]))
        inputs = [self.attributes(element) for element in self.find_all("input", inside=form)]
        hidden = {str(attrs["name"]): attrs.get("value") or "" for attrs in inputs if attrs.get("type") == "hidden"}
        return form, self.attributes(form), hidden


def parse(response: Any) -> Page:
    """Return the page of a successful response."""
    assert response.status_code == 200
    return Page(response.content.decode())
