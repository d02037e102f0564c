"""A language for tests, with an accent on every letter: one without it was not translated."""

import re
from collections.abc import Iterator
from pathlib import Path

import django
import model_utils
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

import credit_pathways

LANGUAGE = "en-xa"

PLAIN = "AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTtUuVvWwXxYyZz"
ACCENTED = "ÁáḂḃĆćĎďÉéḞḟǴǵĤĥÍíĴĵḰḱĹĺḾḿŃńÓóṔṕɊɋŔŕŚśŤťÚúṼṽẂẃẌẍÝýŹź"
ACCENT = str.maketrans(PLAIN, ACCENTED)

#: What is no text: placeholders of three kinds, HTML tags and entities.
KEPT = re.compile(r"%\([^)]*\)[a-z]|%[a-z%]|\{[^}]*\}|<[^>]*>|&[#\w]+;")

DJANGO = Path(django.__file__).parent
#: Where the texts are that a page may show: the app's, Django's and the admin's, the time stamps'.
SOURCES = [
    Path(credit_pathways.__file__).parent / "locale/fr/LC_MESSAGES/django.po",
    *DJANGO.glob("conf/locale/en/LC_MESSAGES/django.po"),
    *DJANGO.glob("contrib/*/locale/en/LC_MESSAGES/django.po"),
    Path(model_utils.__file__).parent / "locale/fr/LC_MESSAGES/django.po",
]


def accented(text: str) -> str:
    """Return ``text`` in the language, what is no text as it is."""
    kept = KEPT.findall(text)
    pieces = [piece.translate(ACCENT) for piece in KEPT.split(text)]
    return "".join(piece for pair in zip(pieces, [*kept, ""], strict=True) for piece in pair)


def _translated() -> Iterator[tuple[str | tuple[str, ...], str | tuple[str, ...], str | None]]:
    for path in SOURCES:
        with path.open("rb") as source:
            for message in read_po(source):
                texts = message.id if isinstance(message.id, tuple) else (message.id,)
                if texts[0]:
                    answer = tuple(accented(text) for text in texts)
                    yield message.id, answer if isinstance(message.id, tuple) else answer[0], message.context


def write(folder: Path) -> Path:
    """Write the language's catalog into ``folder``, and return what is to be among ``LOCALE_PATHS``."""
    catalog = Catalog(locale="en")
    for text, answer, context in _translated():
        catalog.add(text, answer, context=context)
    path = folder / "en_XA/LC_MESSAGES/django.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as target:
        write_mo(target, catalog)
    return folder
