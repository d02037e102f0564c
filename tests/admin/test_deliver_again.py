"""The action *Deliver again*."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client

from credit_pathways import api
from credit_pathways.admin import deliver_again
from credit_pathways.models import ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support.html import Page
from tests.support.record_source import FixedRecordSource

pytestmark = pytest.mark.django_db(transaction=True)


class BrokenForSome(FixedRecordSource):
    """A host's record source with a bug."""

    username = "broken"

    def progress(self, user, program):
        if user.username == self.username:
            raise ZeroDivisionError(user.email)
        return super().progress(user, program)


NOT_SHARED = "its learner does not share the record any more. Only the learner can share it again."
LIST = "/admin/credit_pathways/usercreditpathway/"
URL = f"{LIST}deliver-again/"


@pytest.fixture
def make(learner, program, pathway):
    """Return a function that makes a request of the learner, whose record is shared."""
    ProgramCertRecord.objects.create(user=learner, program=program)

    def make(**values):
        return factories.UserCreditPathwayFactory(**{"user": learner, "program": program, "pathway": pathway, **values})

    return make


def permit(user, *codenames):
    user.user_permissions.add(
        *Permission.objects.filter(content_type__app_label="credit_pathways", codename__in=codenames)
    )


@pytest.fixture
def staff(client):
    """A browser of somebody who may view requests and deliver them, and nothing else."""
    user = factories.UserFactory(username="staff", is_staff=True)
    permit(user, "view_usercreditpathway", "deliver_usercreditpathway")
    client.force_login(user)
    return client


def choose(client, *rows):
    """Choose rows in the list, and the action."""
    return client.post(LIST, {"action": "deliver_again", "_selected_action": [row.pk for row in rows]}, follow=True)


def deliver(client, *rows):
    """Say yes; return what is said then, a line for each request."""
    page = client.post(URL, {"id": [row.pk for row in rows]}, follow=True)
    assert page.redirect_chain == [(LIST, 302)]
    return [str(message) for message in page.context["messages"]]


def status(row):
    return UserCreditPathway.objects.get(pk=row.pk).status


@pytest.mark.parametrize("before", ["pending", "failed"])
def test_it_asks_first_and_then_delivers(before, staff, make, relay):
    row = make(status=before)
    asked = Page(choose(staff, row).content.decode()).text
    assert f"{row.pk}: halima, Statistics, Master of Science, Northfield University ({before})" in asked
    assert (relay.mails, status(row)) == ([], before)
    assert deliver(staff, row) == [f"Request {row.pk}: the email left."]
    assert [mail["To"] for mail in relay.mails] == ["registrar@northfield.example"]
    assert status(row) == "sent"


def test_what_is_refused(staff, make, relay):
    sent, old, failed = make(status="sent"), make(program=None), make(status="failed")
    asked = Page(choose(staff, sent, old, failed).content.decode())
    assert f"Cannot be delivered: {sent.pk}: it was sent already. {old.pk}: its program is not recorded." in asked.text
    assert deliver(staff, sent, old, failed) == [
        f"Request {sent.pk}: not delivered: it was sent already.",
        f"Request {old.pk}: not delivered: its program is not recorded.",
        f"Request {failed.pk}: the email left.",
    ]
    assert len(relay.mails) == 1
    assert [status(row) for row in (sent, old, failed)] == ["sent", "pending", "sent"]


def test_only_what_can_be_delivered_is_posted(staff, make):
    sent, failed = make(status="sent"), make(status="failed")
    page = Page(choose(staff, sent, failed).content.decode())
    ids = [attrs["value"] for tag, attrs in page.elements if tag == "input" and attrs.get("name") == "id"]
    assert ids == [str(failed.pk)]


def test_nothing_can_be_delivered(staff, make):
    assert (
        "None of the chosen requests can be delivered again."
        in Page(choose(staff, make(status="sent")).content.decode()).text
    )


def test_a_mail_that_does_not_leave(staff, make, relay):
    refusing = factories.PathwayFactory(email="refused@northfield.example")
    relay.answers["refused@northfield.example"] = "554 no"
    row, other = make(pathway=refusing), make()
    assert deliver(staff, row, other) == [
        f"Request {row.pk}: the email did not leave. Try again later; the log says why.",
        f"Request {other.pk}: the email left.",
    ]
    assert [status(row), status(other)] == ["failed", "sent"]


def test_a_link_that_was_withdrawn(staff, make, relay):
    row = make(status="failed")
    ProgramCertRecord.objects.all().delete()
    assert deliver(staff, row) == [
        f"Request {row.pk}: not delivered: {NOT_SHARED}",
    ]
    assert (relay.mails, LogEntry.objects.count()) == ([], 0)


def test_a_pathway_without_an_address(staff, make, pathway):
    row = make(status="failed")
    type(pathway).objects.update(email="")
    assert deliver(staff, row) == [f"Request {row.pk}: not delivered: its pathway has no email address."]


def test_a_request_that_is_gone(staff, make):
    row = make()
    UserCreditPathway.objects.all().delete()
    assert deliver(staff, row) == [f"Request {row.pk}: it is gone."]


def test_one_that_somebody_else_has_delivered_meanwhile(staff, make, relay):
    """While the mail of the first is in flight."""
    first, second = make(), make()

    def meanwhile():
        UserCreditPathway.objects.filter(pk=second.pk).update(status="sent")
        connection.close()

    relay.on_data = meanwhile
    assert deliver(staff, first, second) == [
        f"Request {first.pk}: the email left.",
        f"Request {second.pk}: not delivered: it was sent already.",
    ]
    assert LogEntry.objects.count() == 1


def test_back_to_the_list_as_it_was_filtered(staff, make, relay):
    row = make(status="failed")
    asked = staff.post(f"{LIST}?status=failed&q=halima", {"action": "deliver_again", "_selected_action": [row.pk]})
    done = staff.post(asked["Location"], {"id": row.pk})
    assert done["Location"] == f"{LIST}?status=failed&q=halima"


def test_the_form_of_a_real_browser(staff, make, relay):
    """Which needs the token of the page."""
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = staff.cookies
    row = make()
    page = Page(browser.get(URL, {"id": row.pk}).content.decode())
    fields = {attrs["name"]: attrs.get("value") for tag, attrs in page.elements if tag == "input" and "name" in attrs}
    assert browser.post(URL, fields).status_code == 302
    assert status(row) == "sent"


def test_whatever_goes_wrong_with_one_the_others_get_their_turn(staff, make, relay, settings, caplog):
    settings.CREDIT_PATHWAYS_RECORD_SOURCE = f"{__name__}.BrokenForSome"
    row, other = make(user=factories.UserFactory(username=BrokenForSome.username)), make()
    ProgramCertRecord.objects.create(user=row.user, program=row.program)
    assert [line.partition(": ")[2] for line in deliver(staff, row, other)] == [
        "the email did not leave. Try again later; the log says why.",
        "the email left.",
    ]
    assert f"credit request {row.pk}: ZeroDivisionError" in caplog.text
    assert row.user.email not in caplog.text


def test_within_atomic_requests(staff, make, relay, monkeypatch):
    """Of a host whose every view is a transaction, this one is none."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    row = make()
    assert deliver(staff, row) == [f"Request {row.pk}: the email left."]


def test_a_slow_mail_server(staff, make, relay, monkeypatch):
    monkeypatch.setattr(deliver_again, "PATIENCE", 0.2)
    relay.delay = 0.3
    row, other = make(), make()
    assert deliver(staff, row, other) == [
        f"Request {row.pk}: the email left.",
        f"Request {other.pk}: not tried: the mail server is slow. Choose it again.",
    ]
    assert status(other) == "pending"


def test_it_is_logged(staff, make, relay):
    row = make()
    deliver(staff, row, make(status="sent"))
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, entry.object_repr) == (str(row.pk), f"credit request {row.pk}")
    assert entry.change_message == "Deliver again: sent"


def test_too_many(staff, make, monkeypatch):
    monkeypatch.setattr(deliver_again, "AT_ONCE", 2)
    rows = [make() for _number in range(3)]
    page = choose(staff, *rows)
    assert [str(message) for message in page.context["messages"]] == [
        "Choose 2 requests at most. For all that are pending there is manage.py deliver_pending."
    ]
    assert "Deliver again?" in Page(choose(staff, *rows[:2]).content.decode()).text


@pytest.mark.parametrize("id_", ["x", "0", "-1", "9" * 30, "9" * 5000, "²", "\x00"])
def test_ids_that_are_none(id_, staff):
    assert staff.get(URL, {"id": id_}).status_code == 200
    assert staff.post(URL, {"id": id_}).status_code == 302


@pytest.mark.parametrize("codenames", [[], ["view_usercreditpathway"], ["deliver_usercreditpathway"]])
def test_who_may_not(codenames, client, make, relay):
    user = factories.UserFactory(is_staff=True)
    permit(user, *codenames)
    client.force_login(user)
    row = make()
    for answer in (client.get(URL, {"id": row.pk}), client.post(URL, {"id": row.pk})):
        assert answer.status_code == 403
    choose(client, row)
    assert (relay.mails, status(row)) == ([], "pending")
    if codenames == ["view_usercreditpathway"]:
        assert "Deliver again" not in client.get(LIST).content.decode()


@pytest.mark.skipif("not connection.features.has_select_for_update", reason="no row locks in this database")
@pytest.mark.parametrize("before", ["pending", "failed"])
def test_somebody_else_is_delivering(before, staff, make, relay):
    row, said = make(status=before), []

    def meanwhile():
        said.extend(deliver(staff, row))
        connection.close()

    relay.on_data = meanwhile
    assert api.deliver(row) == "sent"
    assert said == [f"Request {row.pk}: it is being delivered by somebody else just now."]
    assert len(relay.mails) == 1
