"""A learner reads and prints the receipt of a request, and finds the next steps."""

import pytest
from playwright.sync_api import expect

from tests.support import demo_server
from tests.support.demo_server import MASTER, STATISTICS
from tests.support.visitor import compact, open_record, printed_pages, request_credit

NEXT_STEPS = "https://northfield.example/credit"


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("width", [320, 1280])
def test_from_the_list_to_the_receipt_and_on_to_the_record(visitor, language, width):
    who = visitor(language, width)
    open_record(who, "halima", STATISTICS)
    request_credit(who, MASTER)
    link = who.link("Open as others see it").get_attribute("href")
    who.link("Your credit requests").click()
    number = who.rows()[0][0].split()[0]
    who.page.get_by_role("link", name=who.translate("Receipt for request %(number)s", number=number)).click()
    expect(who.page.locator("h1")).to_have_text(who.translate("Credit request %(number)s", number=number))
    text = who.page.locator("main").inner_text()
    for part in ("Halima", STATISTICS, *MASTER, "registrar@northfield.example", link, who.translate("Sent")):
        assert part in text
    assert who.page.locator(f"section a[href='{NEXT_STEPS}']").is_visible()
    who.check()
    who.link("Request credit again").click()
    expect(who.button("Request credit")).to_be_visible()


def test_from_the_message_to_the_receipt(visitor):
    who = visitor(script=False)
    open_record(who, "halima", STATISTICS)
    request_credit(who, MASTER)
    message = who.page.locator(".cp-message")
    assert "answers within two weeks" in message.inner_text()
    assert message.locator(f"a[href='{NEXT_STEPS}']").is_visible()
    message.get_by_role("link", name="Receipt for request").click()
    expect(who.page.locator("h1")).to_contain_text("Credit request ")
    expect(who.button("Print")).to_have_count(0)
    who.check()


def test_printing(visitor):
    who = visitor()
    open_record(who, "halima", STATISTICS)
    request_credit(who, MASTER)
    who.page.get_by_role("link", name="Receipt for request").click()
    who.page.evaluate("window.print = () => { window.printed = true }")
    who.button("Print").click()
    assert who.page.evaluate("window.printed") is True
    [text] = printed_pages(who)
    for part in (
        "Credit request ",
        "Halima",
        STATISTICS,
        *MASTER,
        "registrar@northfield.example",
        "/shared/",
        NEXT_STEPS,
        "two weeks",
    ):
        assert compact(part) in text
    for part in ("Print", "Request credit again", "Your credit requests"):
        assert compact(part) not in text


def test_a_withdrawn_link(visitor):
    who = visitor()
    open_record(who, "halima", STATISTICS)
    request_credit(who, MASTER)
    who.button("Stop sharing").click()
    who.page.locator("#cp-revoke").get_by_role("button").first.click()
    who.link("Your credit requests").click()
    who.page.get_by_role("link", name="Receipt for request").first.click()
    assert "Your record is not shared." in who.page.locator("main").inner_text()
    who.check()


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("width", [320, 1280])
def test_an_email_that_bounced(visitor, database, language, width):
    demo_server.manage(database, "record_bounces", "demo/bounce.eml")
    who = visitor(language, width)
    who.open("records/credit-requests/")
    who.log_in("amina")
    sentence = who.translate("The institution's email address does not exist.")
    assert sentence in who.page.locator("main").inner_text()
    who.check()
    who.page.get_by_role("link", name=who.translate("Receipt for request %(number)s", number="301")).click()
    text = who.page.locator("main").inner_text()
    assert sentence in text
    assert who.translate("Contact the institution, or request credit again in a few days.") in text
    who.check()
