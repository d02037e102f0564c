"""Reading a page as a person would."""

from html.parser import HTMLParser
from typing import Any

#: Elements that have no end tag.
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """What a page is made of: its elements, and the text that is seen, whole and by element."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        #: The elements that are open: position in ``elements``.
        self.open: list[int] = []
        #: Each piece of text, and the elements that it is in.
        self.texts: list[tuple[str, tuple[int, ...]]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self.open.pop()][0] == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.texts.append((data, tuple(self.open)))

    def text_of(self, element: int) -> str:
        """Return the text in one element."""
        return " ".join("".join(text for text, inside in self.texts if element in inside).split())

    def all_of(self, tag: str, css_class: str = "") -> list[int]:
        """Return the positions of the elements of one kind."""
        return [
            number
            for number, (name, attrs) in enumerate(self.elements)
            if name == tag and css_class in ["", *(attrs.get("class") or "").split()]
        ]

    def attributes(self, tag: str, name: str) -> list[str | None]:
        """Return an attribute of every element of one kind."""
        return [self.elements[number][1].get(name) for number in self.all_of(tag)]

    @property
    def text(self) -> str:
        return " ".join(" ".join(text for text, _inside in self.texts).split())

    @property
    def hrefs(self) -> list[str | None]:
        return self.attributes("a", "href")

    @property
    def actions(self) -> list[str]:
        return [action or "" for action in self.attributes("form", "action")]

    @property
    def buttons(self) -> list[str]:
        return [self.text_of(number) for number in self.all_of("button")]

    @property
    def messages(self) -> list[str]:
        return [self.text_of(number) for number in self.all_of("li", "cp-message")]

    @property
    def choices(self) -> list[str]:
        """Return what stands beside the boxes."""
        return [self.text_of(number) for number in self.all_of("label", "cp-choice")]

    @property
    def rows(self) -> list[list[str]]:
        """The cells of the rows of the table's body."""
        found: list[list[str]] = []
        for number, (tag, _attrs) in enumerate(self.elements):
            if tag == "tr":
                found.append([])
            elif tag in {"td", "th"} and found:
                found[-1].append(self.text_of(number))
        return found[1:]

    @property
    def boxes(self) -> list[tuple[str | None, str | None]]:
        found = [attrs for tag, attrs in self.elements if tag == "input" and attrs.get("type") == "checkbox"]
        return [(attrs.get("name"), attrs.get("value")) for attrs in found]

    def link(self, text: str) -> str:
        """Return where the link with this text goes."""
        return next(
            str(self.elements[number][1]["href"]) for number in self.all_of("a") if self.text_of(number) == text
        )


def parse(response: Any) -> Page:
    """Return the page of a response that went well."""
    assert response.status_code == 200
    return Page(response.content.decode())
