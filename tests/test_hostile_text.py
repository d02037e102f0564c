"""Hostile input stays text in the email, on the pages and in the CSV, and does not stop the email."""

import csv
import os
import unicodedata
from dataclasses import replace
from email.headerregistry import Address

import pytest
from django.urls import reverse

from credit_pathways.models import ProgramCertRecord
from tests import factories
from tests.support.html import Page, parse
from tests.support.links import absolute_url
from tests.support.record_source import EARNED, FixedRecordSource

pytestmark = pytest.mark.django_db(transaction=True)

SCRIPT = "/static/credit_pathways/credit_pathways.js"

HOSTILE = {
    "html": "<script>alert(1)</script><img src=x onerror=alert(2)>&lt;b&gt;</title></textarea>",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "header": "Halima\r\nBcc: victim@evil.example\r\nX-Evil: 1\r\n\r\nNew body",
    "lone line feed": "Halima\nBcc: victim@evil.example",
    "lone carriage return": "Halima\rBcc: victim@evil.example",
    "other line ends": "Halima\x0bBcc: a\x0cBcc: b\x1cBcc: c\x85Bcc: d\u2028Bcc: e\u2029Bcc: f",
    "hundreds of spaces": "a " * 100 + " " * 40 + "\nBcc: x",
    "many runs of space": "a \t" * 80 + "\nBcc: x",
    "formula": '=HYPERLINK("http://evil.example","click")',
    "command formula": "@SUM(1+1)*cmd|' /C calc'!A0",
    "formula after a semicolon": "Halima;=cmd|' /C calc'!A0",
    "full-width formula": "＝1+1",
    "plus": "+1-1",
    "minus": "-1+1",
    "quote": 'O\'Hara "The" Brien',
    "right to left": "خالد بن الوليد",
    "direction override": "\u202eelpmaxe.live\u202c \u2066x",
    "255 letters": "x" * 255,
    "255 wide letters": "漢" * 255,
    "emoji": "👩🏽\u200d🎓 Ünïcödé",
    "template": "{{ settings.SECRET_KEY }}{% debug %}%(learner_name)s%s{0}",
    "encoded word": "=?utf-8?q?=0D=0ABcc:_victim@evil.example?=",
    "mime": "--===============\r\nContent-Type: text/html\r\n\r\n<b>x</b>",
    "dot": ".\r\n.\r\nQUIT",
    "url": "https://evil.example/?a=1&b=2",
    "link": "javascript:alert(1)",
}

#: The only headers that the app's emails have.
HEADERS = {
    "Content-Type",
    "MIME-Version",
    "Subject",
    "From",
    "To",
    "Reply-To",
    "Date",
    "Message-ID",
    "X-Credit-Request",
}
HEADERS |= {"X-Peer", "X-MailFrom", "X-RcptTo"}  # added by the tests' mail server

#: The only elements in an email's HTML part.
MAIL_ELEMENTS = {"html", "head", "meta", "body", "div", "p", "bdi", "br", "a"}


#: Bidirectional categories of characters that change the direction of the text that follows.
TURNS = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


def shown(text):
    """Return ``text`` as people should see it: on one line, without control characters."""
    hidden = {
        c for c in text if unicodedata.category(c) in {"Cc", "Cn", "Zl", "Zp"} or unicodedata.bidirectional(c) in TURNS
    }
    return " ".join("".join(" " if c in hidden else c for c in text).split())


@pytest.fixture(params=HOSTILE, ids=str)
def text(request):
    return HOSTILE[request.param]


@pytest.fixture
def hostile(text, learner, program, pathway, monkeypatch):
    """The learner, program and pathway, with ``text`` in every field that people can fill in."""
    if os.environ.get("TEST_CHARSET") == "utf8mb3" and max(text) > "\uffff":
        pytest.skip("see test_any_text.py")
    vars(learner).update(factories.name_fields(text[:150]))
    learner.save()
    program.title, program.school, program.type = text, text, text
    program.save()
    pathway.name, pathway.org_name = text, text
    pathway.save()
    course = replace(EARNED, name=text, school=text, course_id=text, letter_grade=text)
    monkeypatch.setattr(FixedRecordSource, "courses", [course])
    return learner, program, pathway


def test_the_email(text, hostile, client, relay):
    _learner, program, pathway = hostile
    body = {"username": "halima", "pathway_id": pathway.pk}
    answer = client.post(reverse("credit_pathways:send", args=[program.uuid]), body, content_type="application/json")
    assert answer.json()["status"] == "sent"
    [mail] = relay.messages
    line, name = (shown(typed).replace("=?", "= ?") for typed in (text, text[:150]))
    assert set(mail.keys()) <= HEADERS
    # Without whitespace, which Python's email package treats inconsistently between encoded words.
    assert _black(mail["Subject"]) == _black(f"Credit request {answer.json()['id']} from {name}: {line}")
    assert len(mail["Subject"].splitlines()) == 1
    assert [mail.get_all(header) for header in ("To", "Bcc", "Cc")] == [["registrar@northfield.example"], None, None]
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]

    lines = mail.get_body(("plain",)).get_content().splitlines()
    assert lines[0] == f"{name} requests credit along the pathway {line}."
    assert lines[3] == f"Program: {line}"
    assert not any(each.startswith(("Bcc:", "X-Evil:", "Content-Type:")) for each in lines)

    page = Page(mail.get_body(("html",)).get_content())
    assert {tag for tag, _attributes in page.elements} <= MAIL_ELEMENTS
    assert {name for _tag, attributes in page.elements for name in attributes} <= {"charset", "lang", "dir", "href"}
    shared = absolute_url("public_record", ProgramCertRecord.objects.get().uuid)
    assert page.hrefs == [shared, f"{shared}csv"]
    assert f"Program: {line}" in page.text


@pytest.mark.usual_users
def test_the_learners_email(text, hostile, client, relay, settings):
    _learner, program, pathway = hostile
    pathway.description = text
    pathway.save()
    settings.CREDIT_PATHWAYS_LEARNER_EMAILS = "all"
    body = {"username": "halima", "pathway_id": pathway.pk}
    answer = client.post(reverse("credit_pathways:send", args=[program.uuid]), body, content_type="application/json")
    [_to_the_institution, mail] = relay.messages
    line = shown(text).replace("=?", "= ?")
    assert set(mail.keys()) <= (HEADERS - {"X-Credit-Request"}) | {"Auto-Submitted"}
    assert _black(mail["Subject"]) == _black(f"Credit request {answer.json()['id']} was sent to {line}")
    assert [mail.get_all(header) for header in ("To", "Bcc", "Cc")] == [["halima@home.example"], None, None]
    lines = mail.get_body(("plain",)).get_content().splitlines()
    assert lines[0] == f"Your request for credit was sent to {line}."
    assert lines[3:6] == [f"Program: {line}", f"Institution: {line}", f"Pathway: {line}"]
    assert {shown(part) for part in text.splitlines()} <= set(lines)

    page = Page(mail.get_body(("html",)).get_content())
    assert {tag for tag, _attributes in page.elements} <= MAIL_ELEMENTS
    assert {name for _tag, attributes in page.elements for name in attributes} <= {"charset", "lang", "dir", "href"}
    assert page.hrefs == [absolute_url("credit_request", answer.json()["id"])]
    assert f"Program: {line}" in page.text


def _black(text):
    return "".join(text.split())


@pytest.mark.parametrize("name", ["index", "program_record", "public_record"])
def test_the_pages(name, text, hostile, client):
    learner, program, _pathway = hostile
    shared = factories.ProgramCertRecordFactory(user=learner, program=program)
    page = _page(client, name, program, shared)
    assert [page.attributes(script) for script in page.find_all("script")] == [{"defer": None, "src": SCRIPT}]
    assert "img" not in {tag for tag, _attributes in page.elements}
    assert not any(attribute.startswith("on") for _tag, attributes in page.elements for attribute in attributes)
    assert " ".join(text.split()) in page.text
    assert not any(str(href).startswith("javascript:") for href in page.hrefs)


def _page(client, name, program, shared):
    args = {"index": [], "program_record": [program.uuid], "public_record": [shared.uuid]}[name]
    return parse(client.get(reverse(f"credit_pathways:{name}", args=args)))


def test_the_messages(text, hostile, client, relay):
    _learner, program, pathway = hostile
    url = reverse("credit_pathways:request_credit", args=[program.uuid])
    page = parse(client.post(url, {"pathway": pathway.pk}, follow=True))
    assert "img" not in {tag for tag, _attributes in page.elements}
    assert f"{shown(text)}: your request was sent to" in page.text


def test_the_csv(text, hostile, client):
    learner, program, _pathway = hostile
    shared = factories.ProgramCertRecordFactory(user=learner, program=program)
    answer = client.get(reverse("credit_pathways:public_record_csv", args=[shared.uuid]))
    rows = list(csv.reader(answer.content.decode("utf-8-sig").splitlines(keepends=True)))
    assert [len(row) for row in rows] == [2, 2, 2, 2, 2, 2, 2, 0, 7, 7]
    assert not any(cell[:1] in tuple("=+-@\t\r\n＝") for row in rows for cell in row if cell)
    assert rows[9][0].replace("'", "") == shown(text).replace("'", "")
    assert answer["Content-Disposition"].isascii()
    assert len(answer["Content-Disposition"].splitlines()) == 1


#: Learners' email addresses, and what Reply-To makes of them: None if they are not valid.
ADDRESSES = {
    "<script>@evil.example": None,
    '"<b>x</b>"@evil.example': '"<b>x</b>"@evil.example',
    "halima@home.example\r\nBcc: victim@evil.example": None,
    "halima@home.example\nX-Evil: 1": None,
    "halima" + " " * 100 + "@home.example": None,
    "=cmd@home.example": "=cmd@home.example",
    "o'hara@home.example": "o'hara@home.example",
    "خالد@مثال.إختبار": None,
    "halima@مثال.إختبار": "halima@xn--mgbh0fb.xn--kgbechtv",
    "x" * 241 + "@home.example": "x" * 241 + "@home.example",
    "halima@home.example, victim@evil.example": None,
    '"\x0bfoo"@evil.example': None,
    '"\x0cBcc:v@evil.example"@evil.example': None,
    '"\x1cfoo"@evil.example': None,
    '"\x85foo"@evil.example': None,
    "Halima <halima@home.example>": None,
}


@pytest.mark.usual_users
@pytest.mark.parametrize(("address", "reply_to"), ADDRESSES.items(), ids=lambda value: ascii(value)[:40])
def test_the_learners_address(address, reply_to, learner, program, pathway, relay, client):
    learner.email = address
    learner.save()
    body = {"username": "halima", "pathway_id": pathway.pk}
    answer = client.post(reverse("credit_pathways:send", args=[program.uuid]), body, content_type="application/json")
    assert answer.json()["status"] == "sent"
    [mail] = relay.messages
    assert set(mail.keys()) <= HEADERS
    found = [] if mail["Reply-To"] is None else list(mail["Reply-To"].addresses)
    assert found == ([] if reply_to is None else [Address(addr_spec=reply_to)])
    assert mail["To"] == "registrar@northfield.example"
