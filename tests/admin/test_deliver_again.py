"""The action *Deliver again*."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError, connection
from django.db.models.signals import pre_save
from django.test import Client
from django.urls import reverse_lazy

from credit_pathways import api
from credit_pathways.admin import deliver_again
from credit_pathways.delivery import sending
from credit_pathways.models import ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support.html import Page
from tests.support.receivers import connected
from tests.support.record_source import FixedRecordSource

pytestmark = pytest.mark.django_db(transaction=True)


class BrokenForSome(FixedRecordSource):
    """A record source with a bug that affects one learner."""

    username = "broken"

    def progress(self, user, program):
        if user.username == self.username:
            raise ZeroDivisionError(user.get_full_name())
        return super().progress(user, program)


NOT_SHARED = "its learner does not share the record any more. Only the learner can share it again."
LIST = reverse_lazy("admin:credit_pathways_usercreditpathway_changelist")
URL = reverse_lazy("admin:credit_pathways_usercreditpathway_deliver_again")


@pytest.fixture
def make(learner, program, pathway):
    """Return a function that creates a request of the learner, whose record is shared."""
    ProgramCertRecord.objects.create(user=learner, program=program)

    def make(**values):
        return factories.UserCreditPathwayFactory(**{"user": learner, "program": program, "pathway": pathway, **values})

    return make


@pytest.fixture
def staff(log_in_staff):
    """A browser in which a member of staff is logged in who may also deliver credit requests."""
    return log_in_staff("view_usercreditpathway", "deliver_usercreditpathway")


def choose(client, *rows):
    """Run the action on these rows of the list."""
    return client.post(LIST, {"action": "deliver_again", "_selected_action": [row.pk for row in rows]}, follow=True)


def deliver(client, *rows):
    """Confirm the delivery, and return the messages: one for each request."""
    page = client.post(URL, {"id": [row.pk for row in rows]}, follow=True)
    assert page.redirect_chain == [(LIST, 302)]
    return [str(message) for message in page.context["messages"]]


def status(row):
    return UserCreditPathway.objects.get(pk=row.pk).status


def test_ids_are_not_formatted(staff, make, relay, settings):
    settings.USE_THOUSAND_SEPARATOR = True
    row = make(pk=1234567)
    page = choose(staff, row)
    assert "1,234,567" not in page.content.decode()
    form = Page(page.content.decode())
    [value] = [attrs["value"] for _tag, attrs in form.elements if attrs.get("name") == "id"]
    staff.post(URL, {"id": value})
    assert status(row) == "sent"


def test_nothing_chosen_is_said(staff, make):
    page = staff.post(URL, {"id": "1,234"}, follow=True)
    assert [str(message) for message in page.context["messages"]] == [
        "None of the chosen requests can be delivered again."
    ]


@pytest.mark.parametrize("before", ["pending", "failed"])
def test_confirmation_and_delivery(before, staff, make, relay):
    row = make(status=before)
    page = Page(choose(staff, row).content.decode())
    assert f"{row.pk}: halima, Statistics, Master of Science, Northfield University ({before})" in page.text
    assert (relay.messages, status(row)) == ([], before)
    assert deliver(staff, row) == [f"Request {row.pk}: the email left."]
    assert [mail["To"] for mail in relay.messages] == ["registrar@northfield.example"]
    assert status(row) == "sent"


def test_requests_that_cannot_be_delivered(staff, make, relay):
    sent, old, failed = make(status="sent"), make(program=None), make(status="failed")
    page = Page(choose(staff, sent, old, failed).content.decode())
    assert f"Cannot be delivered: {sent.pk}: it was sent already. {old.pk}: its program is not recorded." in page.text
    assert deliver(staff, sent, old, failed) == [
        f"Request {sent.pk}: not delivered: it was sent already.",
        f"Request {old.pk}: not delivered: its program is not recorded.",
        f"Request {failed.pk}: the email left.",
    ]
    assert len(relay.messages) == 1
    assert [status(row) for row in (sent, old, failed)] == ["sent", "pending", "sent"]


def test_the_form_contains_only_deliverable_requests(staff, make):
    sent, failed = make(status="sent"), make(status="failed")
    page = Page(choose(staff, sent, failed).content.decode())
    ids = [attrs["value"] for tag, attrs in page.elements if tag == "input" and attrs.get("name") == "id"]
    assert ids == [str(failed.pk)]


def test_no_deliverable_request(staff, make):
    page = Page(choose(staff, make(status="sent")).content.decode())
    assert "None of the chosen requests can be delivered again." in page.text


def test_email_that_cannot_be_sent(staff, make, relay):
    refusing = factories.PathwayFactory(email="refused@northfield.example")
    relay.replies["refused@northfield.example"] = "554 no"
    row, other = make(pathway=refusing), make()
    assert deliver(staff, row, other) == [
        f"Request {row.pk}: The email could not be sent (SMTPRecipientsRefused 554).",
        f"Request {other.pk}: the email left.",
    ]
    assert [status(row), status(other)] == ["failed", "sent"]


def test_record_that_is_no_longer_shared(staff, make, relay):
    row = make(status="failed")
    ProgramCertRecord.objects.all().delete()
    assert deliver(staff, row) == [f"Request {row.pk}: not delivered: {NOT_SHARED}"]
    assert (relay.messages, LogEntry.objects.count()) == ([], 0)


def test_pathway_without_email_address(staff, make, pathway):
    row = make(status="failed")
    type(pathway).objects.update(email="")
    assert deliver(staff, row) == [f"Request {row.pk}: not delivered: its pathway has no email address."]


def test_deleted_request(staff, make):
    row = make()
    UserCreditPathway.objects.all().delete()
    assert deliver(staff, row) == [f"Request {row.pk}: it is gone."]


def test_request_that_is_delivered_by_someone_else_while_another_is_in_flight(staff, make, relay):
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


def test_redirect_to_the_list_with_its_filters(staff, make, relay):
    row = make(status="failed")
    to_page = staff.post(f"{LIST}?status=failed&q=halima", {"action": "deliver_again", "_selected_action": [row.pk]})
    to_list = staff.post(to_page["Location"], {"id": row.pk})
    assert to_list["Location"] == f"{LIST}?status=failed&q=halima"


def test_the_form_has_a_csrf_token(staff, make, relay):
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = staff.cookies
    row = make()
    page = Page(browser.get(URL, {"id": row.pk}).content.decode())
    fields = {attrs["name"]: attrs.get("value") for tag, attrs in page.elements if tag == "input" and "name" in attrs}
    assert browser.post(URL, fields).status_code == 302
    assert status(row) == "sent"


def test_an_exception_does_not_affect_other_requests(staff, make, relay, settings, caplog):
    settings.CREDIT_PATHWAYS_RECORD_SOURCE = f"{__name__}.BrokenForSome"
    row, other = make(user=factories.UserFactory(username=BrokenForSome.username)), make()
    ProgramCertRecord.objects.create(user=row.user, program=row.program)
    assert [line.partition(": ")[2] for line in deliver(staff, row, other)] == [
        "The email could not be sent (ZeroDivisionError).",
        "the email left.",
    ]
    assert f"credit request {row.pk}: ZeroDivisionError" in caplog.text
    assert row.user.get_full_name() not in caplog.text


def test_an_error_of_the_database_does_not_affect_other_requests(staff, make, relay):
    def away(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and "failure_reason" in sql and not struck:
            struck.append(sql)
            raise OperationalError("away")
        return execute(sql, params, many, context)

    struck, row, other = [], make(), make()
    with connection.execute_wrapper(away):
        assert deliver(staff, row, other) == [
            f"Request {row.pk}: The email could not be sent (OperationalError).",
            f"Request {other.pk}: the email left.",
        ]


def test_an_error_of_the_history_does_not_change_the_outcome(staff, make, relay, caplog):
    def fail(**kwargs):
        raise LookupError("Halima")

    row = make()
    with connected(pre_save, fail, sender=LogEntry):
        messages = deliver(staff, row)
    assert messages == [f"Request {row.pk}: the email left."]
    assert f"credit request {row.pk}: not in the history: LookupError" in caplog.text


def test_atomic_requests_does_not_apply_to_this_view(staff, make, relay, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    row = make()
    assert deliver(staff, row) == [f"Request {row.pk}: the email left."]


def test_no_delivery_is_started_after_the_maximum_time(staff, make, relay, monkeypatch):
    monkeypatch.setattr(sending, "MAX_DELIVERY_SECONDS", 0.2)
    relay.delay = 0.3
    row, other = make(), make()
    assert deliver(staff, row, other) == [
        f"Request {row.pk}: the email left.",
        f"Request {other.pk}: not tried: the mail server is slow. Choose it again.",
    ]
    assert status(other) == "pending"


def test_log_entry(staff, make, relay):
    row = make()
    deliver(staff, row, make(status="sent"))
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, entry.object_repr) == (str(row.pk), f"credit request {row.pk}")
    assert entry.change_message == "Deliver again: sent"


def test_too_many_requests(staff, make, monkeypatch):
    monkeypatch.setattr(deliver_again, "MAX_REQUESTS_PER_ACTION", 2)
    rows = [make() for _number in range(3)]
    page = choose(staff, *rows)
    assert [str(message) for message in page.context["messages"]] == [
        "Choose 2 requests at most. For all that are pending there is manage.py deliver_pending."
    ]
    assert "Deliver again?" in Page(choose(staff, *rows[:2]).content.decode()).text


@pytest.mark.parametrize("id_", ["x", "0", "-1", "9" * 30, "9" * 5000, "²", "\x00"])
def test_malformed_ids(id_, staff):
    assert staff.get(URL, {"id": id_}).status_code == 200
    assert staff.post(URL, {"id": id_}).status_code == 302


@pytest.mark.parametrize("codenames", [[], ["view_usercreditpathway"], ["deliver_usercreditpathway"]])
def test_permission_denied(codenames, log_in_staff, make, relay):
    client, row = log_in_staff(*codenames), make()
    for response in (client.get(URL, {"id": row.pk}), client.post(URL, {"id": row.pk})):
        assert response.status_code == 403
    choose(client, row)
    assert (relay.messages, status(row)) == ([], "pending")
    if codenames == ["view_usercreditpathway"]:
        assert "Deliver again" not in client.get(LIST).content.decode()


@pytest.mark.skipif("not connection.features.has_select_for_update", reason="no row locks in this database")
@pytest.mark.parametrize("before", ["pending", "failed"])
def test_request_that_is_being_delivered_by_someone_else(before, staff, make, relay):
    row, messages = make(status=before), []

    def meanwhile():
        messages.extend(deliver(staff, row))
        connection.close()

    relay.on_data = meanwhile
    assert api.deliver(row) == "sent"
    assert messages == [f"Request {row.pk}: it is being delivered by somebody else just now."]
    assert len(relay.messages) == 1
