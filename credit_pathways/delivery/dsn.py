"""Reading reports about emails that came back: delivery status notifications (RFC 3464, RFC 6533; ADR 0021)."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from typing import Any

from ..sanitize import one_line
from .message import TOKEN_HEADER, request_id_of_token

#: Bytes that are read of a report. What matters comes before the original's body, and parsing hostile input takes about
#: a second per megabyte.
MAX_SIZE = 2**20

#: Reports have three parts, but hostile ones may have hundreds of thousands.
_MAX_PARTS = 20

#: Characters that are read of a field, because the email package takes quadratic time for some values.
_MAX_FIELD_LENGTH = 1000

_STATUS_TYPES = {"message/delivery-status", "message/global-delivery-status"}
_ORIGINAL_TYPES = {
    "message/rfc822",
    "message/rfc822-headers",  # not a registered type
    "text/rfc822-headers",
    "message/global",
    "message/global-headers",
}

#: An earlier Date is wrong, and not every database can store the year 999.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


class NotABounce(Exception):
    """A message is not a report that an email of ours came back. Its text says why, without personal data."""


@dataclass(frozen=True)
class Report:
    """A report that the email of a request came back. ``reason`` may contain an address; ``at`` may be unknown."""

    request_id: int
    reason: str = field(repr=False)
    at: datetime | None


def read_report(source: bytes) -> Report:
    """
    Return what a delivery status notification says about an email of ours that came back.

    Raises:
        NotABounce: it is not such a report; there are no other exceptions, whatever the bytes.
    """
    # Without the last line, which is incomplete if the report was truncated.
    lines = source[:MAX_SIZE].rpartition(b"\n")[0]
    try:
        return _read(BytesHeaderParser().parsebytes(lines))
    except NotABounce:
        raise
    except Exception:  # noqa: BLE001  the email package raises errors of many classes for malformed headers
        raise NotABounce("malformed") from None


def _read(report: Message) -> Report:
    parts = [(part.get_content_type(), _content(part)) for part in _parts(report)]
    statuses = [content for kind, content in parts if kind in _STATUS_TYPES]
    if not statuses:
        raise NotABounce("not a delivery status notification")
    failed = next((fields for status in statuses for fields in _recipients(status) if _is_failed(fields)), None)
    if failed is None:
        raise NotABounce("reports no failure")
    request_id = _request_id(content for kind, content in parts if kind in _ORIGINAL_TYPES)
    return Report(request_id=request_id, reason=_reason(failed), at=_date(report))


def _parts(report: Message) -> list[Message]:
    """
    Return the direct children of a report.

    The email package does not split it, because it would parse nested messages recursively, and without decoding them.
    """
    # OpenSMTPD's reports are multipart/mixed.
    if report.get_content_maintype() != "multipart" or len(str(report["Content-Type"])) > _MAX_FIELD_LENGTH:
        return []
    del report["Content-Transfer-Encoding"]  # multiparts are never encoded, whatever their header says
    body: Any = report.get_payload(decode=True)
    delimiter = b"^--" + re.escape(report.get_boundary() or "").encode()
    body = re.split(delimiter + rb"--[ \t]*\r?$", body, maxsplit=1, flags=re.MULTILINE)[0]
    parts = re.split(delimiter + rb"[ \t]*\r?\n", body, maxsplit=_MAX_PARTS, flags=re.MULTILINE)[1:]
    return [BytesHeaderParser().parsebytes(part) for part in parts]


def _content(part: Message) -> str:
    content: Any = part.get_payload(decode=True)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _recipients(status: str) -> list[str]:
    """Return a status's groups of fields: usually one about the email, then one about each recipient."""
    return re.split(r"\n(?:\r?\n)+", status)


def _field(fields: str, name: str) -> str:
    """Return the value of a field, even after a malformed line, such as a continuation that is not indented."""
    match = re.search(rf"^{name}:(.*(?:\n[ \t].*)*)", fields, re.IGNORECASE | re.MULTILINE)
    return match[1][:_MAX_FIELD_LENGTH].strip() if match else ""


def _is_failed(fields: str) -> bool:
    return bool(re.match(r"failed\b", _field(fields, "Action"), re.IGNORECASE))


def _request_id(originals: Iterable[str]) -> int:
    headers = (re.split(r"^\r?\n", original, maxsplit=1, flags=re.MULTILINE)[0] for original in originals)
    token = next(filter(None, (_field(fields, TOKEN_HEADER) for fields in headers)), "")
    if not token:
        raise NotABounce("not about one of this service's emails to institutions")
    request_id = request_id_of_token(token)
    if request_id is None:
        raise NotABounce("invalid signature")
    return request_id


def _reason(fields: str) -> str:
    """Return status code and diagnosis, such as "5.1.1 smtp; 550 5.1.1 User unknown"."""
    code = re.sub(r"[^0-9.].*", "", _field(fields, "Status"), flags=re.DOTALL)
    diagnosis = _field(fields, "Diagnostic-Code")
    with suppress(Exception):  # an unknown charset, or invalid bytes: keep the encoded text
        diagnosis = str(make_header(decode_header(diagnosis)))
    # No database stores a lone surrogate, which some charsets decode to.
    return one_line(f"{code} {diagnosis}".encode(errors="replace").decode())


def _date(report: Message) -> datetime | None:
    try:
        date = parsedate_to_datetime(str(report["Date"])[:_MAX_FIELD_LENGTH])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return date if _EARLIEST <= date <= datetime.now(UTC) else None
