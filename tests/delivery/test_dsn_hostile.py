"""Reports that are malformed, huge or hostile: the right request or none, and in time."""

import random
import time
from contextlib import suppress

import pytest

from credit_pathways.delivery.dsn import MAX_SIZE, NotABounce, read_report
from tests.support.reports import FORMATS, TEXT, original, report, status

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("boundary", ["idna''%ff", "undefined''%ff", "a\x00b''x", "punycode''%ff"])
def test_malformed_reports(boundary, mail):
    """The email package raises errors of several classes for these, depending on the version of Python."""
    source = report(TEXT, status(), original(mail))
    with pytest.raises(NotABounce):
        read_report(source.replace(b"boundary=", f"boundary*={boundary}; x=".encode()))


def test_ten_megabytes(mail):
    """Only the beginning is read, where the status and the original's headers are."""
    text = b"A line of a large attachment.\n" * 350_000
    assert len(text) > 10_000_000
    headers, content = original(mail)
    assert read_report(report(TEXT, status(), (headers, content + text))).request_id == 4711
    with pytest.raises(NotABounce):
        read_report(report((TEXT[0], text), status(), original(mail)))


NESTED = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (level, level) for level in range(30_000))


@pytest.mark.parametrize(
    ("where", "content"),
    [
        ("headers", b"A:\n"),
        ("headers", b"A: x\n x"),
        ("headers", b"From x\n"),
        ("text", b"--b\n"),
        ("text", b"--b\n\n"),
        ("original", b"--b\n\n"),
        ("text", b"--b--x\n"),
        ("text", b"--b "),
        ("fields", b"A:\n\n"),
        ("fields", b"\n"),
        ("fields", b"Action: "),
        ("fields", b"Diagnostic-Code: =?a?q?"),
        ("fields", b"Diagnostic-Code: x\n "),
        ("original", NESTED),
        ("original", b"Content-Type: message/rfc822\n\n"),
        ("original", b"X-Credit-Request: 1:1\n"),
        ("original", b"X-Credit-Request:\n "),
        ("type", b";"),
        ("type", b'";'),
        ("type", b"x*0*=;"),
    ],
)
def test_hostile_reports_are_read_in_time(where, content, mail):
    """Four times the size takes about four times as long. Recursion and quadratic parsing would show."""
    size = MAX_SIZE // (2 if where == "type" else 1)
    content *= size // len(content) + 1
    quarter = seconds_to_read(where, content[: size // 4], mail)
    assert seconds_to_read(where, content[:size], mail) < max(8 * quarter, 1)


def seconds_to_read(where, content, mail):
    """Return how much of the processor's time a report with ``content`` takes."""
    type_, headers, text, fields, before = (
        content if where == name else b"" for name in ("type", "headers", "text", "fields", "original")
    )
    kind, source = original(mail)
    parts = (
        ("Content-Type: text/plain", text),
        ("Content-Type: message/delivery-status", fields),
        (kind, before + source),
    )
    message = report(*parts, headers="HEADERS", kind="multipart/report; TYPE")
    message = message.replace(b"HEADERS", headers.strip() or b"Subject: x").replace(b"TYPE", type_ or b"x=y")
    message = message.replace(b"=_report/1", b"b")
    started = time.process_time()
    with suppress(NotABounce):
        read_report(message)
    return time.process_time() - started


def mutated(source, chance):
    """Return ``source`` with random changes of the kind that breaks parsers."""
    tokens = [
        b"\n",
        b"\r\n",
        b"\n\n",
        b"\x00",
        b"\xff",
        b";",
        b'"',
        b"=?utf-8?b?",
        b"?=",
        b"--=_report/1",
        b"*0*=",
        b"(",
    ]
    for _change in range(chance.randint(1, 6)):
        start = chance.randrange(len(source))
        end = start + chance.choice([0, 1, 1, 9, 200])
        inserted = chance.choice([b"", chance.choice(tokens), chance.randbytes(3), source[end : end + 50] * 2])
        source = source[:start] + inserted + source[end:]
    return source


@pytest.mark.parametrize("build", FORMATS)
def test_mutated_reports_name_the_request_or_none(build, mail):
    chance, source = random.Random(build.__name__), build(mail)  # noqa: S311
    for _number in range(200):
        with suppress(NotABounce):
            assert read_report(mutated(source, chance)).request_id == 4711
