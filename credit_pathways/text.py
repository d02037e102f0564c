"""Text that people typed, made safe to stand in one line of a mail, a header or a table."""

import re
from urllib.parse import urlsplit

#: Control characters, and the marks that turn the direction of what follows them (Unicode TR 36, 2.11.2).
#: Marks that languages need (U+200C, U+200D, U+200E, U+200F) stay.
_NOT_PRINTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def one_line(value: object) -> str:
    """Return ``value`` as one line of text: no control characters, runs of white space as one space.

    edx-ace's own clean-up of a subject stops after 32 runs of white space, so a line break could be left.
    """
    return " ".join(_NOT_PRINTED.sub(" ", str(value)).split())


def host_name(domain: str) -> str:
    """Return the host of a site's domain, which may carry a port: ``localhost:8000`` gives ``localhost``."""
    return urlsplit(f"//{domain}").hostname or domain
