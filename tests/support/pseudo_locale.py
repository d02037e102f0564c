"""A language for tests in which every letter has an accent, so a letter without one was not translated."""

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

LETTERS = "AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTtUuVvWwXxYyZz"
ACCENTED = "ÁáḂḃĆćĎďÉéḞḟǴǵĤĥÍíĴĵḰḱĹĺḾḿŃńÓóṔṕɊɋŔŕŚśŤťÚúṼṽẂẃẌẍÝýŹź"
ACCENTS = str.maketrans(LETTERS, ACCENTED)

#: Placeholders of three kinds, HTML tags and entities.
MARKUP = re.compile(r"%\([^)]*\)[a-z]|%[a-z%]|\{[^}]*\}|<[^>]*>|&[#\w]+;")

DJANGO = Path(django.__file__).parent
#: The catalogs of all text that a page may show: the app's, Django's, the admin's and the timestamps'.
SOURCES = [
    Path(credit_pathways.__file__).parent / "locale/fr/LC_MESSAGES/django.po",
    *DJANGO.glob("conf/locale/en/LC_MESSAGES/django.po"),
    *DJANGO.glob("contrib/*/locale/en/LC_MESSAGES/django.po"),
    Path(model_utils.__file__).parent / "locale/fr/LC_MESSAGES/django.po",
]


def accented(text: str) -> str:
    """Return ``text`` with accents, except in its markup."""
    markup = MARKUP.findall(text)
    pieces = [piece.translate(ACCENTS) for piece in MARKUP.split(text)]
    return "".join(piece for pair in zip(pieces, [*markup, ""], strict=True) for piece in pair)


def _messages() -> Iterator[tuple[str | tuple[str, ...], str | tuple[str, ...], str | None]]:
    for path in SOURCES:
        with path.open("rb") as source:
            for message in read_po(source):
                texts = message.id if isinstance(message.id, tuple) else (message.id,)
                if texts[0]:
                    translation = tuple(accented(text) for text in texts)
                    yield message.id, translation if isinstance(message.id, tuple) else translation[0], message.context


def write(folder: Path) -> Path:
    """Write the language's catalog into ``folder`` and return the path to add to ``LOCALE_PATHS``."""
    catalog = Catalog(locale="en")
    for text, translation, context in _messages():
        catalog.add(text, translation, context=context)
    path = folder / "en_XA/LC_MESSAGES/django.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as target:
        write_mo(target, catalog)
    return folder
