"""The demo, started like ``make demo`` and used over HTTP like a person would."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from tests.support import demo_server
from tests.support.demo_server import DIPLOMA, MASTER, REFUSED, STATISTICS, SUPPLY_CHAIN
from tests.support.html import Page
from tests.support.smtp import free_port


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "db.sqlite3"


@pytest.fixture(scope="module")
def demo(database: Path) -> Iterator[str]:
    """The address of a running demo."""
    port = free_port()
    for _time in range(2):  # The second time, as when the demo is started again, changes nothing.
        demo_server.load(database, f"127.0.0.1:{port}")
    with demo_server.serve(database, port) as address:
        yield address


@pytest.fixture
def paste(demo: str, database: Path) -> Callable[[str], str]:
    """Return a function that runs a command of the demo's instructions in a shell, and returns what it printed."""
    instructions = demo_server.manage(database, "load_demo", "--domain", demo.split("/")[2]).splitlines()

    def run(name: str) -> str:
        [command] = [line.strip() for line in instructions if f"manage.py {name} " in line]
        command = command.replace(".venv/bin/python", sys.executable)
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "demo.settings", "DEMO_DATABASE": str(database)}
        return subprocess.run(  # noqa: S602
            command, shell=True, cwd=demo_server.ROOT, env=environment, check=False, capture_output=True, text=True
        ).stdout

    return run


class Browser:
    """A browser without JavaScript. It follows links, and fills in and submits forms."""

    def __init__(self, root: str, username: str) -> None:
        self.opener = build_opener(HTTPCookieProcessor(CookieJar()))
        self.url = root
        self.open("accounts/login/")
        self.send("Log in", username=username, password="demo")

    def open(self, path: str, data: bytes | None = None) -> Page:
        with self.opener.open(urljoin(self.url, path), data) as response:
            self.url = response.url
            self.page = Page(response.read().decode())
        return self.page

    def send(self, button: str, **fields: Any) -> Page:
        """Fill in a form with ``fields`` and press its button."""
        _form, attributes, hidden = self.page.form_submitted_by(button)
        assert attributes["method"] == "post"
        return self.open(attributes.get("action") or "", urlencode({**hidden, **fields}, doseq=True).encode())

    def follow(self, text: str) -> Page:
        """Follow the link with this ``text``."""
        return self.open(self.page.link(text))

    def request_credit(self, *pathways: tuple[str, str]) -> list[str]:
        """Request credit through ``pathways`` with the dialog, and return the messages on the next page."""
        assert self.page.opened_by("Request credit") in self.page.ancestors[self.page.form_submitted_by("Send")[0]]
        offers = self.offers()
        return self.send("Send", pathway=[offers[" ".join(words)] for words in pathways]).messages

    def offers(self) -> dict[str, str | None]:
        """Return the values of the dialog's checkboxes by label."""
        assert {box["name"] for box in self.page.checkboxes} == {"pathway"}
        return dict(zip(self.page.choices, [box["value"] for box in self.page.checkboxes], strict=True))


ADMIN = "/admin/credit_pathways/usercreditpathway/"
NO_MAILBOX = "The institution's email address does not exist."


def newest_mail(who: Browser, address: str) -> str:
    """Return the headers and the text of the newest email to ``address``, and the source of its HTML."""
    page = who.open("/mails/")
    mails = page.find_all("article")
    mail = next(mail for mail in mails if page.text_of(page.find_all("td", inside=mail)[1]) == address)
    [frame] = page.find_all("iframe", inside=mail)
    with who.opener.open(urljoin(who.url, page.attributes(frame)["src"])) as html:
        return page.text_of(mail) + html.read().decode()


def sent(pathway: tuple[str, str]) -> str:
    """Return the start of the message about a request that was sent. Its number and the next steps follow."""
    return "{}: your request was sent to {}. Your request number is ".format(*pathway)


def starts(messages: list[str], *starts: str) -> bool:
    """Return whether there is one message for each of ``starts``, in their order."""
    return [message[: len(start)] for message, start in zip(messages, starts, strict=True)] == list(starts)


def test_a_learner_requests_credit(demo):
    learner = Browser(demo, "halima")
    assert "My programs" in learner.open("/records/").text
    learner.follow(STATISTICS)
    offered = learner.offers()
    assert list(offered) == [" ".join(words) for words in (REFUSED, DIPLOMA, MASTER)]

    assert starts(learner.request_credit(MASTER, DIPLOMA), sent(DIPLOMA), sent(MASTER))
    assert learner.offers() == offered
    mails = learner.open("/mails/").text
    learner.open("/records/")
    assert "registrar@northfield.example" in mails
    assert "admissions@lakeside.example" in mails
    assert mails.count("Message-ID") == 2

    learner.follow(STATISTICS)
    assert starts(learner.request_credit(MASTER), sent(MASTER))
    assert learner.offers() == offered
    [failed] = learner.request_credit(REFUSED)
    assert "could not be sent to Refused University. Please try again" in failed

    learner.open("/records/")
    learner.follow(SUPPLY_CHAIN)
    assert starts(learner.request_credit(MASTER), sent(MASTER))
    mails = learner.open("/mails/").text
    assert mails.count("Message-ID") == 4
    assert mails.count(f"Program: {SUPPLY_CHAIN}") == 1

    staff = Browser(demo, "admin")
    rows = staff.open("/admin/credit_pathways/usercreditpathway/").rows
    assert [row[2:7] for row in rows if "halima" in row] == [
        ["halima", *MASTER, SUPPLY_CHAIN, "sent"],
        ["halima", *REFUSED, STATISTICS, "failed"],
        ["halima", *MASTER, STATISTICS, "sent"],
        ["halima", *DIPLOMA, STATISTICS, "sent"],
        ["halima", *MASTER, STATISTICS, "sent"],
    ]


def test_a_registrar_reads_the_record(demo):
    registrar = build_opener()
    learner = Browser(demo, "dario")
    learner.open("/records/")
    learner.follow(STATISTICS)
    learner.request_credit(MASTER)
    link = next(url for url in learner.page.hrefs if "/shared/" in str(url))
    record = registrar.open(link).read().decode()
    assert "Dario Fiore" in record
    assert "Completed" in record
    assert "Capstone in Data Science" in registrar.open(f"{link}csv").read().decode("utf-8-sig")


def test_a_learner_shares_and_revokes(demo):
    learner = Browser(demo, "halima")
    learner.open("/records/")
    learner.follow(SUPPLY_CHAIN)
    if "Stop sharing" in learner.page.buttons:
        learner.send("Stop sharing")
    learner.send("Create a link")
    [link] = {str(url) for url in learner.page.hrefs if "/shared/" in str(url)}
    assert "Halima" in build_opener().open(link).read().decode()
    learner.send("Stop sharing")
    with pytest.raises(HTTPError, match="404"):
        build_opener().open(link)


def test_a_receipt(demo):
    learner = Browser(demo, "dario")
    learner.open("/records/")
    learner.follow(STATISTICS)
    learner.request_credit(MASTER)
    link = next(str(url) for url in learner.page.hrefs if "/shared/" in str(url))
    number = learner.open("/records/credit-requests/").rows[1][1].split()[0]
    text = learner.follow("Receipt").text
    assert f"Credit request {number}" in text
    for part in ("Dario Fiore", STATISTICS, *MASTER, "registrar@northfield.example", link, "answers within two weeks"):
        assert part in text
    assert "Program completed when requested Yes" in text
    assert "https://northfield.example/credit" in learner.page.hrefs
    subject = f"Credit request {number} from Dario Fiore: {STATISTICS}"
    assert subject in learner.open("/mails/").text


def test_an_email_comes_back(demo, paste):
    """The sample's signature is that of the first of the two requests."""
    learner, staff = Browser(demo, "amina"), Browser(demo, "admin")
    assert "1 recorded" in paste("record_bounces")

    [row] = [row for row in learner.open("/records/credit-requests/").rows if DIPLOMA[1] in row[0]]
    assert "The email was returned on" in row[-1]
    assert NO_MAILBOX in row[-1]
    number = row[1].split()[0]
    assert NO_MAILBOX in learner.open(f"/records/credit-requests/{number}/").text
    assert NO_MAILBOX in newest_mail(learner, "amina@learners.example")

    assert [row[0] for row in staff.open(f"{ADMIN}?bounced=yes").rows if "amina" in row] == [number]
    page = staff.open(f"{ADMIN}{number}/change/").text
    assert f"{NO_MAILBOX} (5.1.1 smtp; 550 5.1.1 <admissions@lakeside.example>: Recipient address rejected" in page
    bounced = {row[0]: row[-1] for row in staff.open(f"{ADMIN}report/").rows}
    assert (bounced[DIPLOMA[1]], bounced[MASTER[1]]) == ("1", "0")


def test_a_request_fails_later(demo, paste):
    learner = Browser(demo, "amina")
    learner.open("/")
    learner.send("Français", language="fr")
    assert "1 request: 0 sent, 1 failed." in paste("deliver_pending")
    mail = newest_mail(learner, "amina@learners.example")
    assert REFUSED[1] in mail
    assert '<div lang="fr" dir="ltr">' in mail


def test_a_retired_learner(demo, database):
    learner, staff = Browser(demo, "halima"), Browser(demo, "admin")
    learner.open("/records/")
    learner.follow(SUPPLY_CHAIN)
    learner.request_credit(REFUSED)
    link = next(str(url) for url in learner.page.hrefs if "/shared/" in str(url))
    assert "Halima" in build_opener().open(link).read().decode()
    assert "Withdrew all public links" in demo_server.manage(database, "retire_learner", "halima")
    with pytest.raises(HTTPError, match="404"):
        build_opener().open(link)
    number = next(row[0] for row in staff.open("/admin/credit_pathways/usercreditpathway/").rows if "halima" in row)
    page = staff.open(f"/admin/credit_pathways/usercreditpathway/deliver-again/?id={number}")
    assert "None of the chosen requests can be delivered again." in page.text
    assert f"{number}: its learner does not share the record any more." in page.text
    assert "SMTPRecipientsRefused 550" in staff.open(f"/admin/credit_pathways/usercreditpathway/{number}/change/").text


def test_a_learner_without_a_record(demo):
    assert "No program records yet" in Browser(demo, "nobu").open("/records/").text


@pytest.mark.parametrize("path", ["", "records/", "admin/login/", "mails/"])
def test_content_security_policy(demo, path):
    policy = build_opener().open(demo + path).headers["Content-Security-Policy"]
    directives = dict(directive.strip().split(" ", 1) for directive in policy.split(";"))
    strict = {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'"}
    assert {name: directives[name] for name in strict} == strict


def test_the_schema_is_served(demo):
    assert "/records/programs/{uuid}/send" in build_opener().open(f"{demo}api/schema/").read().decode()
