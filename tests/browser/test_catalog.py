"""Staff correct an address and add a pathway. A synchronization leaves both as they are (ADR 0019)."""

from playwright.sync_api import expect

from tests.support import demo_server
from tests.support.demo_server import REFUSED, STATISTICS
from tests.support.visitor import open_record, request_credit

LIST = "admin/credit_pathways/pathway/"
ADDED = {
    "uuid": "6f1b4d5e-0c52-4d0e-9f0b-1f6f4a3a7c11",
    "name": "Summer School",
    "org_name": "Southfield College",
    "email": "summer@southfield.example",
    "description": "You get an answer in June.",
    "destination_url": "https://southfield.example/summer",
}


def test_what_is_managed_here_survives_a_synchronization(visitor, database):
    who, learner = visitor(), visitor()
    who.open(LIST)
    who.log_in("admin")
    correct_the_address(who)
    add_a_pathway(who)
    output = demo_server.manage(database, "sync_catalog", "--file", "demo/catalog.json")
    assert f"skipped, because it is managed in the admin: {REFUSED[0]}" in output
    assert output.endswith("0 changes. 1 item skipped.\n")
    open_record(learner, "halima", STATISTICS)
    request_credit(learner, (ADDED["name"], ADDED["org_name"]), REFUSED)
    assert [level for level, _text in learner.messages] == ["success", "success"]
    assert ADDED["description"] in learner.messages[1][1]
    learner.check()


def correct_the_address(who):
    who.page.get_by_role("link", name=REFUSED[0]).click()
    expect(who.button("Save")).to_have_count(0)
    assert "Edit it in the source." in who.page.locator("#content").inner_text()
    who.check(app=False)
    who.button("Manage here").click()
    expect(who.page.locator(".messagelist")).to_contain_text("synchronizations no longer update or retire it")
    who.page.locator("#id_email").fill("registrar@northfield.example")
    save(who)


def add_a_pathway(who):
    who.open(f"{LIST}add/")
    for name, value in ADDED.items():
        who.page.locator(f"#id_{name}").fill(value)
    who.page.locator("#id_site").select_option(index=1)
    who.page.locator(".select2-selection").click()
    who.page.get_by_role("option", name=STATISTICS).click()
    save(who)


def save(who):
    who.page.locator("input[name=_save]").click()
    expect(who.page.locator(".messagelist .success")).to_be_visible()
