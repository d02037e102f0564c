"""Make text that people typed safe for a line of an email, a header, or a cell of a table, and keep it out of logs."""

import logging
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

#: Control characters, noncharacters (XML allows neither), and marks that change the direction of the text after them
#: (Unicode TR 36, 2.11.2). Marks that languages need (U+200C, U+200D, U+200E, U+200F) are kept.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]")

#: Where a formula may start: at the start of a cell, and after a separator that a spreadsheet may use instead of the
#: comma. Quotation marks, white space and invisible marks may precede it.
_FORMULA_START = re.compile('(^|[;,\t])([\\s"\u200b-\u200f\u2060\ufeff]*)(?=[=+\\-@|%＝＋－＠])')


#: Letters and symbols that show nothing: the fillers of Hangul, and the blank of Braille.
_BLANKS = "\u115f\u1160\u3164\uffa0\u2800"

#: The Unicode categories that show nothing on their own: controls and formats, separators, marks without a letter.
_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Me"}


def is_invisible(text: str) -> bool:
    """Return whether ``text`` shows nothing: it is empty, or has only white space, invisible characters, and marks."""
    return all(char in _BLANKS or unicodedata.category(char) in _INVISIBLE_CATEGORIES for char in one_line(text))


def one_line(value: object) -> str:
    """
    Return ``value`` as one line of text: without control characters, runs of white space collapsed to one space.

    edx-ace's own cleaning of subjects stops after 32 runs of white space, so a line break could remain.
    """
    return " ".join(_UNPRINTABLE.sub(" ", str(value)).split())


def table_cell(value: object) -> str:
    """Return ``value`` as one line that no spreadsheet runs as a formula (OWASP, "CSV Injection")."""
    return _FORMULA_START.sub(r"\1\2'", one_line(value))


def muted(*names: str) -> Callable[[], AbstractContextManager[None]]:
    """Return a context manager, inside which the loggers of these names drop everything (promise 9)."""
    is_muted: ContextVar[bool] = ContextVar("is_muted", default=False)
    for name in names:
        logging.getLogger(name).addFilter(lambda _record: not is_muted.get())

    @contextmanager
    def mute() -> Iterator[None]:
        token = is_muted.set(True)
        try:
            yield
        finally:
            is_muted.reset(token)

    return mute
