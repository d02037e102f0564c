"""Explain bounces: a sentence for each common status code."""

import re

from django.utils.translation import gettext, gettext_noop

#: A status code (RFC 3463), such as 5.1.1, but not part of an IP address.
_STATUS_CODE = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\d)")

OTHER = gettext_noop("No clear reason was given.")

_NO_MAILBOX = gettext_noop("The institution's email address does not exist.")
_NO_DOMAIN = gettext_noop("The domain of the institution's email address does not accept email.")
_DISABLED = gettext_noop("The institution's mailbox is disabled.")
_FULL = gettext_noop("The institution's mailbox is full.")
_TOO_LARGE = gettext_noop("The email is larger than the institution's mail server allows.")
_UNREACHABLE = gettext_noop("The institution's mail server could not be reached.")
_REFUSED = gettext_noop("The institution's mail server refused the email.")

#: By status code, by its subject and detail, or by its subject alone (IANA, "SMTP Enhanced Status Codes").
EXPLANATIONS = {
    "1.1": _NO_MAILBOX,
    "1.2": _NO_DOMAIN,
    "1.3": _NO_MAILBOX,
    "1.6": _NO_MAILBOX,
    "1.10": _NO_MAILBOX,  # Exchange's meaning; IANA's is a domain without mail servers
    "2.1": _DISABLED,
    "2.2": _FULL,
    "2.3": _TOO_LARGE,
    "3.4": _TOO_LARGE,
    "4": _UNREACHABLE,
    "5.4.1": _REFUSED,  # by Microsoft 365, which has no such recipient; 4.4.1 is a server that does not answer
    "4.4": _NO_DOMAIN,
    "4.310": _NO_DOMAIN,
    "7": _REFUSED,
}


def explain(bounce_reason: str) -> str:
    """Return a sentence, in the current language, about why an email bounced."""
    for code in _STATUS_CODE.findall(bounce_reason):
        subject_and_detail = code.partition(".")[2]
        for key in (code, subject_and_detail, subject_and_detail.partition(".")[0]):
            if key in EXPLANATIONS:
                return gettext(EXPLANATIONS[key])
    return gettext(OTHER)
