"""Retired learners and inactive accounts: their links are dead, and nothing is delivered for them (promise 7)."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.urls import reverse, reverse_lazy
from django.utils import timezone

from credit_pathways import api
from credit_pathways.delivery import later, sending
from credit_pathways.models import ImportedRow, ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support.links import absolute_url, open_link
from tests.support.outcomes import attempt
from tests.support.threads import run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)

URL = reverse_lazy("credit_pathways:api-retire-learner")
RETIRED = "The learner was retired"


def post(client, username="halima", **options):
    return client.post(URL, {"username": username}, content_type="application/json", **options)


def states():
    return list(UserCreditPathway.objects.order_by("pk").values_list("status", "failure_reason"))


@pytest.mark.usual_users
class TestInactiveAccount:
    @pytest.fixture(autouse=True)
    def _inactive(self, learner, request_row):
        type(learner).objects.filter(pk=learner.pk).update(is_active=False)
        learner.is_active = False

    def test_its_links_are_dead(self, client, learner):
        uuid = ProgramCertRecord.objects.get().uuid
        assert open_link(client, uuid) == [404, 404, 404]
        type(learner).objects.update(is_active=True)
        assert open_link(client, uuid) == [200, 200, 200]

    def test_nothing_is_delivered(self, learner, program, pathway, request_row, relay):
        assert attempt(request_row.pk) == "failed"
        assert api.deliver(request_row) == "failed"
        assert [row.status for row in api.request_credit(user=learner, program=program, pathways=[pathway])] == [
            "failed"
        ]
        assert relay.messages == []
        assert states() == [("failed", "The learner's account is inactive")] * 2

    def test_deliver_pending_fails_it(self, request_row, relay):
        with pytest.raises(CommandError):
            call_command("deliver_pending", older_than=0, stdout=StringIO())
        assert (states()[0][0], relay.messages) == ("failed", [])

    def test_the_account_becomes_inactive_while_an_email_is_in_flight(self, learner, program, pathway, relay):
        """The second of two emails is not sent."""
        type(learner).objects.update(is_active=True)
        learner.is_active = True
        other = factories.PathwayFactory(programs=[program])

        def deactivate():
            type(learner).objects.update(is_active=False)
            connections["default"].close()

        relay.on_data = deactivate
        requests = api.request_credit(user=learner, program=program, pathways=[pathway, other])
        assert [row.status for row in requests] == ["sent", "failed"]

    def test_staff_see_why_it_cannot_be_delivered(self, log_in_staff, request_row, relay):
        client = log_in_staff("view_usercreditpathway", "deliver_usercreditpathway")
        url = reverse("admin:credit_pathways_usercreditpathway_deliver_again")
        assert "account is inactive" in client.get(url, {"id": request_row.pk}).content.decode()
        page = client.post(url, {"id": request_row.pk}, follow=True)
        assert [str(message) for message in page.context["messages"]] == [
            f"Request {request_row.pk}: not delivered: its learner's account is inactive."
        ]
        assert relay.messages == []

    def test_staff_see_that_its_link_does_not_work(self, admin_client, request_row):
        shared = ProgramCertRecord.objects.get()
        for row in (request_row, shared):
            page = reverse(f"admin:credit_pathways_{row._meta.model_name}_change", args=[row.pk])
            content = admin_client.get(page).content.decode()
            assert "The link does not work, because the learner&#x27;s account is inactive." in content
            assert absolute_url("public_record", shared.uuid) not in content


class TestRetireLearner:
    @pytest.fixture
    def others(self, request_row):
        """The link and the request of another learner."""
        shared = factories.ProgramCertRecordFactory()
        factories.UserCreditPathwayFactory(user=shared.user, program=shared.program)
        return shared

    def test_links_are_dead_and_nothing_can_be_delivered(self, client, learner, request_row, relay):
        shared = ProgramCertRecord.objects.get()
        failed = factories.UserCreditPathwayFactory(
            user=learner, program=request_row.program, pathway=request_row.pathway, status="failed"
        )
        api.retire_learner(user=learner)
        assert open_link(client, shared.uuid) == [404, 404, 404]
        assert [api.deliver(row) for row in (request_row, failed)] == ["failed", "failed"]
        assert not list(later.overdue_requests(older_than=0 * request_row.created.resolution))
        assert relay.messages == []

    def test_a_request_whose_worker_was_just_killed(self, learner, request_row, relay):
        """Or whose worker is still reading the record: it finds the row failed."""
        UserCreditPathway.objects.update(attempts=1, modified=timezone.now() + timedelta(minutes=2))
        api.retire_learner(user=learner)
        assert states() == [("failed", RETIRED)]

    def test_rows_stay(self, learner, program, pathway, others):
        row = {"user": learner, "pathway": pathway}
        factories.UserCreditPathwayFactory(**row, program=None)
        for status in ("failed", "sent"):
            factories.UserCreditPathwayFactory(**row, program=program, status=status, failure_reason="as before")
        api.retire_learner(user=learner)
        assert states() == [
            ("failed", RETIRED),
            ("pending", ""),
            ("failed", RETIRED),
            ("failed", "as before"),
            ("sent", "as before"),
        ]
        assert list(ProgramCertRecord.objects.all()) == [others]

    def test_links_of_all_programs_are_withdrawn(self, learner, others):
        factories.ProgramCertRecordFactory(user=learner, program=factories.ProgramFactory(site=factories.SiteFactory()))
        api.retire_learner(user=learner)
        assert list(ProgramCertRecord.objects.all()) == [others]

    def test_an_imported_request_is_left_as_it_is(self, learner, request_row):
        """Whether it was sent is not known."""
        ImportedRow.objects.create(table="t", row_id=1, credit_request=request_row)
        api.retire_learner(user=learner)
        assert states() == [("pending", "")]

    def test_a_later_click_is_a_new_request(self, learner, program, pathway, request_row, relay):
        api.retire_learner(user=learner)
        assert [row.status for row in api.request_credit(user=learner, program=program, pathways=[pathway])] == ["sent"]
        assert [status for status, _reason in states()] == ["failed", "sent"]

    def test_a_request_in_flight_is_left_to_its_attempt(self, learner, request_row, relay):
        def retire():
            api.retire_learner(user=learner)
            connections["default"].close()

        relay.on_data = lambda: run_concurrently(1, retire)
        api.deliver(request_row)
        assert [mail["To"] for mail in relay.messages] == [request_row.pathway.email]
        assert states() == [("sent", "")]
        assert not ProgramCertRecord.objects.exists()

    def test_inside_a_transaction_of_the_caller(self, learner, request_row):
        with transaction.atomic():
            api.retire_learner(user=learner)
        assert (states(), ProgramCertRecord.objects.count()) == ([("failed", RETIRED)], 0)


class TestEndpoint:
    @pytest.fixture
    def worker(self, log_in_staff):
        return log_in_staff("retire_learner")

    @pytest.mark.parametrize("atomic", [False, True])
    def test_it_retires_and_may_be_repeated(self, atomic, worker, request_row, monkeypatch):
        monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", atomic)
        for _time in range(2):
            answer = post(worker)
            assert (answer.status_code, answer.content) == (204, b"")
        assert (states(), ProgramCertRecord.objects.count()) == ([("failed", RETIRED)], 0)

    @pytest.mark.parametrize("atomic", [False, True])
    def test_links_are_dead_before_requests_are_marked(self, atomic, worker, request_row, monkeypatch):
        """Another connection, such as that of a worker, sees it."""
        monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", atomic)
        give_up, seen = sending.give_up, []

        def look_first(*args):
            seen.extend(run_concurrently(1, ProgramCertRecord.objects.exists))
            return give_up(*args)

        monkeypatch.setattr(sending, "give_up", look_first)
        assert post(worker).status_code == 204
        assert (seen, states()) == ([False], [("failed", RETIRED)])

    @pytest.mark.parametrize("username", ["nobody", "HALIMA", "halima ", "hálima", "hal", "🎓", "x" * 500])
    def test_an_unknown_username(self, username, worker, request_row):
        assert post(worker, username).status_code == 404
        assert states() == [("pending", "")]

    @pytest.mark.parametrize("body", [{}, {"username": ""}, {"username": None}, {"username": ["halima"]}, [], "halima"])
    def test_a_malformed_body(self, body, worker, request_row):
        answer = worker.post(URL, json.dumps(body), content_type="application/json")
        assert answer.status_code == 400
        assert {"username", "non_field_errors"} & answer.json().keys()

    @pytest.mark.parametrize("character", ["\x00", "\ud800"])
    def test_characters_that_no_database_stores(self, character, worker, request_row):
        answer = worker.post(URL, json.dumps({"username": character}), content_type="application/json")
        assert (answer.status_code, list(answer.json())) == (400, ["username"])

    def test_it_needs_the_permission(self, log_in_staff, client, request_row):
        assert post(client).status_code == 403
        assert post(log_in_staff("view_usercreditpathway", "deliver_usercreditpathway")).status_code == 403
        client.logout()
        assert post(client).status_code == 403
        assert states() == [("pending", "")]

    def test_other_methods(self, worker):
        assert worker.get(URL).status_code == 405
        assert worker.post(URL, {"username": "halima"}).status_code == 415

    def test_the_flood_guard_does_not_count_it(self, worker, request_row, settings):
        settings.CREDIT_PATHWAYS_REQUEST_RATE = "1/day"
        assert [post(worker).status_code for _time in range(3)] == [204] * 3


class TestCommand:
    def test_it_retires(self, request_row):
        out = StringIO()
        call_command("retire_learner", "halima", stdout=out)
        assert (states(), ProgramCertRecord.objects.count()) == ([("failed", RETIRED)], 0)
        assert out.getvalue() == "Withdrew all public links and marked pending requests as failed.\n"

    @pytest.mark.parametrize("username", ["nobody", "HALIMA"])
    def test_an_unknown_username(self, username, request_row):
        with pytest.raises(CommandError, match=rf"There is no user {username}\."):
            call_command("retire_learner", username)
        assert states() == [("pending", "")]
