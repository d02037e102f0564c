"""Reading a page, and filling in its forms, as a person's browser would."""

from html.parser import HTMLParser
from typing import Any

#: Elements that have no end tag.
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

Attributes = dict[str, str | None]


class Page(HTMLParser):
    """What a page is made of. An element is its position in ``elements``."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes]] = []
        #: For each element, those that it is in.
        self.around: list[tuple[int, ...]] = []
        #: Each piece of text, and the elements that it is in.
        self.texts: list[tuple[str, tuple[int, ...]]] = []
        self._open: list[int] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        self.around.append(tuple(self._open))
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.elements[self._open.pop()][0] == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.texts.append((data, tuple(self._open)))

    def attributes(self, element: int) -> Attributes:
        return self.elements[element][1]

    def text_of(self, element: int) -> str:
        """Return the text in an element."""
        return " ".join("".join(text for text, around in self.texts if element in around).split())

    def all_of(self, tag: str, *, inside: int | None = None, css_class: str = "") -> list[int]:
        """Return the elements of one kind."""
        return [
            element
            for element, (name, attrs) in enumerate(self.elements)
            if name == tag
            and (inside is None or inside in self.around[element])
            and css_class in ["", *(attrs.get("class") or "").split()]
        ]

    @property
    def text(self) -> str:
        return " ".join(" ".join(text for text, _around in self.texts).split())

    @property
    def hrefs(self) -> list[str | None]:
        return [self.attributes(element).get("href") for element in self.all_of("a")]

    @property
    def buttons(self) -> list[str]:
        return [self.text_of(element) for element in self.all_of("button")]

    @property
    def messages(self) -> list[str]:
        return [self.text_of(element) for element in self.all_of("li", css_class="cp-message")]

    @property
    def rows(self) -> list[list[str]]:
        """The cells of every table row."""
        return [
            [self.text_of(cell) for kind in ("th", "td") for cell in self.all_of(kind, inside=row)]
            for row in self.all_of("tr")
        ]

    @property
    def boxes(self) -> list[Attributes]:
        """The boxes that can be ticked."""
        inputs = [self.attributes(element) for element in self.all_of("input")]
        return [attrs for attrs in inputs if attrs.get("type") == "checkbox" and "disabled" not in attrs]

    @property
    def choices(self) -> list[str]:
        """What stands beside the boxes."""
        return [self.text_of(element) for element in self.all_of("label", css_class="cp-choice")]

    def link(self, text: str) -> str:
        """Return where the link with this text goes."""
        return next(
            str(self.attributes(element)["href"]) for element in self.all_of("a") if self.text_of(element) == text
        )

    def opened_by(self, text: str) -> int:
        """Return the popover that the button with this text opens, without JavaScript."""
        [button] = [element for element in self.all_of("button") if self._is_button(element, text, "popovertarget")]
        target = self.attributes(button)["popovertarget"]
        [popover] = [
            n for n, (_tag, attrs) in enumerate(self.elements) if attrs.get("id") == target and "popover" in attrs
        ]
        return popover

    def _is_button(self, element: int, text: str, attribute: str) -> bool:
        return self.text_of(element) == text and attribute in self.attributes(element)

    def form_sent_by(self, text: str) -> tuple[int, Attributes, dict[str, str]]:
        """Return the form that the button with this text sends: the element, its attributes, its hidden fields."""
        buttons = [element for element in self.all_of("button") if self.text_of(element) == text]
        [button] = [b for b in buttons if self.attributes(b).get("type", "submit") == "submit"]
        [form] = [element for element in self.around[button] if self.elements[element][0] == "form"]
        assert not any("hidden" in self.attributes(element) for element in (form, *self.around[form]))
        inputs = [self.attributes(element) for element in self.all_of("input", inside=form)]
        hidden = {str(attrs["name"]): attrs.get("value") or "" for attrs in inputs if attrs.get("type") == "hidden"}
        return form, self.attributes(form), hidden


def parse(response: Any) -> Page:
    """Return the page of a response that went well."""
    assert response.status_code == 200
    return Page(response.content.decode())
