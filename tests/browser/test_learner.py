"""A learner reads a record, requests credit, retries a failed request, and shares the link and withdraws it."""

import time

import pytest
from playwright.sync_api import expect

from tests.support.demo_server import DIPLOMA, MASTER, REFUSED, STATISTICS
from tests.support.visitor import open_record, request_credit

SENT = "%(pathway)s: your request was sent to %(institution)s."
FAILED = "%(pathway)s: your request could not be sent to %(institution)s. Please try again."


def message_about(who, text, pathway):
    return who.translate(text, pathway=pathway[0], institution=pathway[1])


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("script", [True, False])
def test_the_journey(visitor, language, width, script):
    who, stranger = (visitor(language, width, script=script) for _person in range(2))
    who.open("records/")
    who.check()
    who.log_in("halima")
    who.check()
    who.page.get_by_role("link", name=STATISTICS, exact=True).click()
    read(who)
    cancel_a_request(who)
    request_twice_and_retry(who)
    link = copy_the_link(who)
    stranger.open(link.removeprefix(who.address))
    assert "Halima" in stranger.page.locator("main").inner_text()
    assert "halima@" not in stranger.page.content()
    stranger.check()
    read_credit_requests(who)
    stop_sharing(who, stranger)
    log_in_again_after_the_session_expired(who)
    assert who.link("Open as others see it").get_attribute("href") != link


def read(who):
    who.page.wait_for_load_state()
    text = who.page.locator("main").inner_text()
    assert all(
        part in text for part in ("Probability", "91", "Northfield University", "Lakeside", "Refused University")
    )
    assert who.translate("Your record is not shared. A public link lets others read it without logging in.") in text
    who.check()


def cancel_a_request(who):
    dialog = who.page.locator("#cp-request")
    who.button("Request credit").click()
    expect(dialog).to_be_visible()
    assert who.translate("A request cannot be unsent. You can stop sharing the link later.") in dialog.inner_text()
    who.check()
    for _times in range(8):
        who.page.keyboard.press("Tab")
        outside = "document.activeElement !== document.body && !document.activeElement.closest('#cp-request')"
        assert not who.page.evaluate(outside)
    who.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(who.button("Request credit")).to_be_focused()


def request_twice_and_retry(who):
    request_credit(who, MASTER, REFUSED)
    assert [level for level, _text in who.messages] == ["error", "success"]
    assert message_about(who, FAILED, REFUSED) in who.messages[0][1]
    assert who.messages[1][1].startswith(message_about(who, SENT, MASTER))
    expect(who.page.locator(".cp-message-success").get_by_role("link")).to_have_count(2)  # next steps and the receipt
    who.check()
    who.button("Try again").click()
    [(level, text)] = who.messages
    assert (level, message_about(who, FAILED, REFUSED) in text) == ("error", True)
    request_credit(who, MASTER)
    [(level, text)] = who.messages
    assert (level, text.startswith(message_about(who, SENT, MASTER))) == ("success", True)


def copy_the_link(who):
    """Copy the link, which needs JavaScript, and return it."""
    link = str(who.link("Open as others see it").get_attribute("href"))
    if who.has_script:
        who.context.grant_permissions(["clipboard-read", "clipboard-write"])
        who.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()) }")
        who.button("Copy link").click()
        failed = who.translate("It could not be copied. Select the link and copy it.")
        expect(who.page.locator("#cp-copied[role=status]")).to_have_text(failed)
        who.page.evaluate("delete navigator.clipboard.writeText")
        who.button("Copy link").click()
        expect(who.page.locator("#cp-copied[role=status]")).to_have_text(who.translate("The link is copied."))
        assert who.page.evaluate("navigator.clipboard.readText()") == link
        who.check()
    else:
        expect(who.button("Copy link")).to_have_count(0)
        assert link in who.page.locator("main").inner_text()
    return link


def read_credit_requests(who):
    who.link("Your credit requests").click()
    asked = [(row[2].split("\n")[0], row[3].split("\n")[0].strip(), row[4]) for row in who.rows()]
    sent = (MASTER[1], STATISTICS, who.translate("Sent"))
    failed = (REFUSED[1], STATISTICS, who.translate("Could not be sent"))
    # The oldest two were requested together, in either order.
    assert (asked[:2], sorted(asked[2:])) == ([sent, failed], sorted([sent, failed]))
    who.check()
    who.page.go_back()


def stop_sharing(who, stranger):
    dialog = who.page.locator("#cp-revoke")
    who.button("Stop sharing").click()
    expect(dialog).to_be_visible()
    who.check()
    who.button("Keep sharing").click()
    expect(dialog).to_be_hidden()
    expect(who.button("Stop sharing")).to_be_focused()
    stranger.page.reload()
    assert "Halima" in stranger.page.locator("main").inner_text()
    who.button("Stop sharing").click()
    dialog.get_by_role("button").first.click()
    assert [level for level, _text in who.messages] == ["success"]
    who.check()
    stranger.page.reload()
    expect(stranger.page.locator("h1")).to_have_text(who.translate("This record is not shared"))
    assert "Halima" not in stranger.page.content()
    stranger.check()


def log_in_again_after_the_session_expired(who):
    who.context.clear_cookies(name="sessionid")
    who.button("Create a link").click()
    nothing_done = who.translate("You were logged out, so nothing was done. Please do it again.")
    assert who.messages == [("warning", nothing_done)]
    who.check()
    who.log_in("halima")
    who.button("Create a link").click()
    assert [level for level, _text in who.messages] == ["success"]


def test_clicking_send_twice(visitor):
    """By accident, while a slow SMTP server responds, and then on purpose."""
    who = visitor()
    open_record(who, "dario", "Python for Everyone")
    who.button("Request credit").click()
    who.page.get_by_label("its mail server takes its time").check()
    send = who.button("Send")
    # What the learner sees while waiting, without submitting. A page from the back/forward cache can be sent again.
    send.evaluate("(it) => { it.form.dispatchEvent(new SubmitEvent('submit', { bubbles: true })) }")
    expect(who.page.locator("#cp-request [role=status]")).to_have_text("Sending. This can take a minute.")
    who.check()
    who.page.evaluate("window.dispatchEvent(new Event('pageshow')) && null")
    expect(who.page.locator("#cp-request [role=status]")).to_have_text("")
    # The mouse, because the locator's clicks wait for the response.
    box = send.bounding_box()
    for _times in range(3):
        who.page.mouse.click(box["x"] + 5, box["y"] + 5)
        time.sleep(0.3)
    expect(who.page.locator(".cp-results")).to_be_focused()
    request_credit(who, ("Certificate", "Unhurried College"))
    who.link("Your credit requests").click()
    assert [row[4] for row in who.rows()] == ["Sent", "Sent"]


def test_with_the_keyboard_only(visitor):
    who = visitor()

    def tab_to(text):
        for _times in range(40):
            who.page.keyboard.press("Tab")
            focused = who.focused.evaluate("(it) => (it.closest('label') ?? it).innerText")
            if text in focused:
                outline = who.focused.evaluate("(it) => getComputedStyle(it).outlineStyle")
                assert outline != "none", f"the focus on {text} is invisible"
                return
        raise AssertionError(text)

    who.open("records/")
    who.log_in("halima")
    tab_to(STATISTICS)
    who.page.keyboard.press("Enter")
    expect(who.page.locator("h1")).to_have_text(STATISTICS)
    tab_to("Request credit")
    who.page.keyboard.press("Enter")
    for name, _institution in (DIPLOMA, MASTER):
        if name not in who.focused.evaluate("(it) => it.closest('label')?.innerText ?? ''"):
            tab_to(name)
        who.page.keyboard.press("Space")
    tab_to("Send")
    who.page.keyboard.press("Enter")
    expect(who.page.locator(".cp-results")).to_be_focused()
    assert [level for level, _text in who.messages] == ["success", "success"]
    tab_to("Stop sharing")
    who.page.keyboard.press("Enter")
    tab_to("Keep sharing")
    who.page.keyboard.press("Space")
    expect(who.button("Stop sharing")).to_be_focused()


def test_pages_with_nothing_to_do(visitor):
    nobu, dario = visitor(), visitor()
    nobu.open("records/")
    nobu.log_in("nobu")
    assert "No program records yet" in nobu.page.locator("main").inner_text()
    nobu.check()
    nobu.link("Your credit requests").click()
    assert "You have not requested credit yet." in nobu.page.locator("main").inner_text()
    nobu.check()
    open_record(dario, "dario", "First Aid")
    assert "No institution takes credit requests for this program now." in dario.page.locator("main").inner_text()
    expect(dario.button("Request credit")).to_have_count(0)
    dario.check()


def test_no_pathway_and_too_many_requests(visitor):
    who = visitor()
    open_record(who, "halima", STATISTICS)
    request_credit(who)
    assert who.messages == [("warning", "Nothing was sent: choose at least one pathway.")]
    who.check()
    for _times in range(5):
        request_credit(who, MASTER, DIPLOMA, REFUSED)
    request_credit(who, MASTER)
    [(level, text)] = who.messages
    assert (level, "Try again in" in text) == ("warning", True)
    who.check()
    who.button("Try again").click()
    assert [level for level, _text in who.messages] == ["warning"]


def test_high_contrast(visitor):
    who = visitor()
    who.page.emulate_media(forced_colors="active")
    open_record(who, "halima", STATISTICS)
    request_credit(who, MASTER, REFUSED)
    who.check()
    for element in (*who.page.locator(".cp-button:visible").all(), *who.page.locator(".cp-message, .cp-badge").all()):
        style = element.evaluate("(it) => [getComputedStyle(it).borderTopStyle, getComputedStyle(it).borderTopColor]")
        assert (style[0], style[1] != "rgba(0, 0, 0, 0)") == ("solid", True)


def test_a_browser_with_popovers_but_without_dialog_buttons(visitor):
    who = visitor()
    open_record(who, "halima", STATISTICS)
    who.page.evaluate("document.querySelectorAll('[command]').forEach((it) => it.removeAttribute('commandfor'))")
    request_credit(who, MASTER)
    assert [level for level, _text in who.messages] == ["success"]


def test_a_browser_without_popovers(visitor):
    """The form is in the page."""
    who = visitor()

    def without_popovers(route):
        style = (
            route.fetch().text().replace("@supports not selector(:popover-open)", "@supports not selector(:no-such)")
        )
        route.fulfill(body=style, content_type="text/css")

    who.page.route("**/credit_pathways.css", without_popovers)
    open_record(who, "halima", STATISTICS)
    for name in ("commandfor", "popovertarget", "popover"):
        strip = f"(found) => found.forEach((it) => it.removeAttribute('{name}'))"
        who.page.locator(f"[{name}]").evaluate_all(strip)
    who.page.get_by_label(MASTER[0]).check()
    who.check()
    who.button("Send").click()
    assert [level for level, _text in who.messages] == ["success"]


@pytest.mark.parametrize("language", ["en", "es-419", "fr", "ar", "zh-hans"])
def test_every_width_in_every_language(visitor, language):
    """Starting with a small phone, or 400% zoom (WCAG 1.4.10)."""
    who = visitor(language)
    open_record(who, "halima", STATISTICS)
    request_credit(who, MASTER, REFUSED)
    pages = [who.page.url.removeprefix(who.address), "records/", "records/credit-requests/"]
    pages += [
        who.link("Open as others see it").get_attribute("href").removeprefix(who.address),
        str(who.page.locator(".cp-message-success a").last.get_attribute("href")).removeprefix("/"),
    ]
    for path in pages:
        who.open(path)
        for width in (320, 360, 480, 560, 640, 900):
            who.page.set_viewport_size({"width": width, "height": 800})
            assert who.page.evaluate("document.scrollingElement.scrollWidth") <= width, (path, width)


def test_a_form_opened_before_logging_in_elsewhere(visitor):
    who = visitor("fr")
    open_record(who, "halima", STATISTICS)
    other = who.context.new_page()
    other.goto(f"{who.address}accounts/login/")
    other.locator("#id_username").fill("halima")
    other.locator("#id_password").fill("demo")
    other.keyboard.press("Enter")
    expect(other.locator("h1")).to_have_text(who.translate("My programs"))
    who.button("Create a link").click()
    expect(who.page.locator("h1")).to_have_text(who.translate("Nothing was done"))
    who.check()
