"""Staff find a credit request, retry its delivery, read the report, and export requests."""

import csv
from io import StringIO
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.demo_server import MASTER, REFUSED, STATISTICS
from tests.support.visitor import open_record, request_credit

LIST = "admin/credit_pathways/usercreditpathway/"


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("width", [320, 1280])
def test_the_journey(visitor, language, width):
    learner, who = visitor(), visitor(language, width)
    open_record(learner, "halima", STATISTICS)
    request_credit(learner, MASTER, REFUSED)
    who.open(LIST)
    who.check(app=False)
    who.log_in("admin")
    find(who)
    deliver_again(who)
    read_the_report(who)
    export(who)
    who.open("mails/")
    assert MASTER[0] in who.page.locator("main").inner_text()


@pytest.mark.parametrize(("path", "table"), [(LIST, ".results"), (f"{LIST}report/", ".cp-scroll")])
def test_no_column_is_cut_off(visitor, path, table):
    who = visitor()
    who.open(LIST)
    who.log_in("admin")
    who.open(path)
    hidden = who.page.locator(table).evaluate_all(
        "tables => tables.map(table => table.scrollWidth - table.clientWidth)"
    )
    assert hidden
    assert not any(hidden)


def find(who):
    expect(who.page.locator("#result_list tbody tr")).to_have_count(50)
    who.check(app=False)
    # A filter with autocompletion.
    who.page.locator(".select2-selection").click()
    expect(who.page.locator(".select2-results__option[aria-selected]").first).to_be_visible()
    who.check(app=False)
    who.page.keyboard.press("Escape")
    who.page.locator("#searchbar").fill("halima")
    who.page.keyboard.press("Enter")
    expect(who.page.locator("#result_list tbody tr")).to_have_count(2)
    who.check(app=False)
    who.page.locator("#result_list tbody th a").first.click()
    expect(who.page.locator("#result_list")).to_have_count(0)
    assert "halima" in who.page.locator("#content").inner_text()
    who.check(app=False)
    who.page.go_back()


def deliver_again(who):
    """Of two requests, one was already sent and is not sent again, and the other fails again."""
    for box in who.page.locator("input[name=_selected_action]").all():
        box.check()
    who.page.locator("select[name=action]").select_option("deliver_again")
    who.page.locator("button[name=index]").click()
    text = who.page.locator("#content").inner_text()
    assert who.translate("it was sent already.") in text
    assert REFUSED[1] in text
    who.check(app=False)
    who.page.get_by_role("button", name=who.translate("Deliver again"), exact=True).click()
    messages = who.page.locator(".messagelist")
    expect(messages).to_contain_text(who.translate("The email could not be sent"))
    who.check(app=False)


def read_the_report(who):
    who.link("Report").click()
    expect(who.page.locator("canvas")).to_have_count(5)
    who.check(app=False)
    shown = {row[0]: row[-5] for row in who.rows("table[data-chart=institution]")}
    assert set(shown) >= {MASTER[1], REFUSED[1]}
    with who.page.expect_download() as download:
        who.link("Download as CSV").nth(2).click()
    rows = list(csv.reader(StringIO(Path(download.value.path()).read_text(encoding="utf-8-sig"))))
    assert {row[0]: row[1] for row in rows[1:]} == shown


def export(who):
    who.open(f"{LIST}?q=halima")
    who.page.locator("a.export_link").click()
    who.page.locator("select[name=format]").select_option(label="csv")
    who.check(app=False)
    with who.page.expect_download() as download:
        who.page.locator("#content input[type=submit]").click()
    rows = list(csv.DictReader(StringIO(Path(download.value.path()).read_text(encoding="utf-8-sig"))))
    assert [(row["username"], row["institution"], row["status"]) for row in rows] == [
        ("halima", MASTER[1], "sent"),
        ("halima", REFUSED[1], "failed"),
    ]
