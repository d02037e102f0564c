"""A registrar opens the link from the mail, prints the record, and downloads it."""

import csv
from io import BytesIO
from pathlib import Path
from unicodedata import normalize

import pytest
from playwright.sync_api import expect
from pypdf import PdfReader

from tests.browser.test_learner import come_in, request
from tests.test_demo import MASTER, STATISTICS


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("width", [320, 1280])
def test_the_journey(visitor, language, width):
    learner, registrar = visitor(), visitor(language, width)
    come_in(learner, "halima", STATISTICS)
    request(learner, MASTER)
    learner.open("mails/")
    link = learner.page.get_by_role("link", name="/shared/").first.get_attribute("href")

    registrar.open(link.removeprefix(registrar.address))
    expect(registrar.page.locator("h1")).to_have_text(STATISTICS)
    assert registrar.says("Partially completed") in registrar.page.locator("main").inner_text()
    registrar.check()
    print_it(registrar, link)
    download_it(registrar)


def print_it(who, link):
    """Press the button; look at the paper."""
    who.page.evaluate("window.print = () => { window.printed = true }")
    who.button("Print").click()
    assert who.page.evaluate("window.printed") is True
    [text] = printed(who)
    for part in ("Halima", STATISTICS, "Northfield University", "Probability", "91", "2026", link):
        assert black(part) in text
    for part in ("Print", "Download as a table (CSV)"):
        assert black(who.says(part)) not in text


def printed(who):
    """Return the text of each page of paper."""
    pages = PdfReader(BytesIO(who.page.pdf(format="A4"))).pages
    return [black(page.extract_text()) for page in pages]


def black(text):
    """Return ``text`` without white space, and without the ligatures of the font."""
    return "".join(normalize("NFKC", text).split())


def download_it(who):
    with who.page.expect_download() as download:
        who.link("Download as a table (CSV)").click()
    assert download.value.suggested_filename == "statistics-and-data-science-record.csv"
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == [who.says("Learner"), "Halima Ó Briain"]
    assert [row[0] for row in rows[-4:]] == [
        "Probability",
        "Statistical Inference",
        "Machine Learning",
        "Capstone in Data Science",
    ]


def test_without_javascript_there_is_no_button_that_does_nothing(visitor):
    learner, registrar = visitor(), visitor(script=False)
    come_in(learner, "halima", STATISTICS)
    request(learner, MASTER)
    registrar.open(learner.link("Open as others see it").get_attribute("href").removeprefix(learner.address))
    expect(registrar.button("Print")).to_have_count(0)
    download_it(registrar)
    registrar.check()


def test_what_the_learner_prints_is_the_record(visitor):
    who = visitor()
    come_in(who, "halima", STATISTICS)
    request(who, MASTER)
    who.button("Request credit").click()
    text = "".join(printed(who))
    assert black("Probability") in text
    for part in ("your request was sent to", "Send my record to", "Stop sharing", "My programs"):
        assert black(part) not in text


def test_a_long_record_is_printed_whole(visitor):
    """Rows are not cut in two by the end of a page, and every page has the table's head."""
    who = visitor()
    come_in(who, "halima", STATISTICS)
    request(who, MASTER)
    who.link("Open as others see it").click()
    who.page.evaluate(
        """() => {
            const body = document.querySelector("tbody");
            const row = body.rows[0].outerHTML;
            for (let number = 0; number < 60; number += 1) body.insertAdjacentHTML("beforeend", row);
        }"""
    )
    pages = printed(who)
    assert len(pages) > 1
    for text in pages[:-1]:
        assert "Attempts" in text
        assert text.count("Probability") == text.count("course-v1:NorthfieldX+ST1+2026T1")
