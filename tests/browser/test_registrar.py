"""A registrar opens the link in the email, and prints and downloads the record."""

import csv
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.demo_server import MASTER, STATISTICS
from tests.support.visitor import compact, open_record, printed_pages, request_credit


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("width", [320, 1280])
def test_the_journey(visitor, language, width):
    learner, registrar = visitor(), visitor(language, width)
    open_record(learner, "halima", STATISTICS)
    request_credit(learner, MASTER)
    learner.open("mails/")
    link = learner.page.get_by_role("link", name="/shared/").first.get_attribute("href")

    registrar.open(link.removeprefix(registrar.address))
    expect(registrar.page.locator("h1")).to_have_text(STATISTICS)
    assert registrar.translate("Partially completed") in registrar.page.locator("main").inner_text()
    registrar.check()
    print_record(registrar, link)
    download_record(registrar)


def print_record(who, link):
    who.page.evaluate("window.print = () => { window.printed = true }")
    who.button("Print").click()
    assert who.page.evaluate("window.printed") is True
    [text] = printed_pages(who)
    for part in ("Halima", STATISTICS, "Northfield University", "Probability", "91", "2026", link):
        assert compact(part) in text
    for part in ("Print", "Download as a table (CSV)"):
        assert compact(who.translate(part)) not in text


def download_record(who):
    with who.page.expect_download() as download:
        who.link("Download as a table (CSV)").click()
    assert download.value.suggested_filename == "statistics-and-data-science-record.csv"
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == [who.translate("Learner"), "Halima Ó Briain"]
    assert [row[0] for row in rows[-4:]] == [
        "Probability",
        "Statistical Inference",
        "Machine Learning",
        "Capstone in Data Science",
    ]


def test_without_javascript_there_is_no_print_button(visitor):
    learner, registrar = visitor(), visitor(script=False)
    open_record(learner, "halima", STATISTICS)
    request_credit(learner, MASTER)
    registrar.open(learner.link("Open as others see it").get_attribute("href").removeprefix(learner.address))
    expect(registrar.button("Print")).to_have_count(0)
    download_record(registrar)
    registrar.check()


def test_the_learner_prints_the_record_only(visitor):
    who = visitor()
    open_record(who, "halima", STATISTICS)
    request_credit(who, MASTER)
    who.button("Request credit").click()
    text = "".join(printed_pages(who))
    assert compact("Probability") in text
    for part in ("your request was sent to", "Send my record to", "Stop sharing", "My programs"):
        assert compact(part) not in text


def test_printing_a_long_record(visitor):
    """Page breaks are between rows, and the table's head is on every page."""
    who = visitor()
    open_record(who, "halima", STATISTICS)
    request_credit(who, MASTER)
    who.link("Open as others see it").click()
    who.page.wait_for_load_state()
    who.page.evaluate(
        """() => {
            const body = document.querySelector("tbody");
            const row = body.rows[0].outerHTML;
            for (let number = 0; number < 60; number += 1) body.insertAdjacentHTML("beforeend", row);
        }"""
    )
    pages = printed_pages(who)
    assert len(pages) > 1
    for text in pages[:-1]:
        assert "Attempts" in text
        assert text.count("Probability") == text.count("course-v1:NorthfieldX+ST1+2026T1")
