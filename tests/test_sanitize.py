"""Collapsing text into one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_pathways.sanitize import one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Halima Khan", "Halima Khan"),
        ("  Halima \t\n  Khan ", "Halima Khan"),
        ("Halima\r\nBcc: x@y.example", "Halima Bcc: x@y.example"),
        ("a\u2028b\u2029c\x85d\x0be", "a b c d e"),
        ("a\x00b\x1bc\x7f", "a b c"),
        ("\u202eevil\u202c \u2066x\u2069", "evil x"),
        ("نور\u200cالدین", "نور\u200cالدین"),
        (7, "7"),
        ("", ""),
    ],
)
def test_one_line(text, line):
    assert one_line(text) == line


@given(st.text())
def test_one_line_of_any_text(text):
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert line == line.strip()
    assert "  " not in line
    assert one_line(line) == line
