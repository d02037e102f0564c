"""Text that people typed, made safe to stand in one line of a mail, a header or a table."""

import re

#: Control characters, what is no character (XML takes neither), and the marks that turn the direction of what follows
#: them (Unicode TR 36, 2.11.2).
#: Marks that languages need (U+200C, U+200D, U+200E, U+200F) stay.
_NOT_PRINTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def one_line(value: object) -> str:
    """Return ``value`` as one line of text: no control characters, runs of white space as one space.

    edx-ace's own clean-up of a subject stops after 32 runs of white space, so a line break could be left.
    """
    return " ".join(_NOT_PRINTED.sub(" ", str(value)).split())


#: Where a formula may begin: at the start of a cell, and, for a spreadsheet that reads another separator than the
#: comma, after that. Quotation marks, and marks that are not seen, do not count.
_FORMULA = re.compile('(^|[;,\t])([\\s"\u200b-\u200f\u2060\ufeff]*)(?=[=+\\-@|%＝＋－＠])')


def no_formula(cell: str) -> str:
    """Return ``cell`` with an apostrophe before what a spreadsheet would run as a formula (OWASP, "CSV Injection")."""
    return _FORMULA.sub(r"\1\2'", cell)
