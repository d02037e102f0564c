"""Learners, staff and other clicks that get in each other's way, at every isolation level."""

import re
import threading
import time
from functools import partial
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, connections, transaction
from django.db.models.signals import post_delete, post_save, pre_save
from django.test import Client
from django.urls import reverse

from credit_pathways import api, database
from credit_pathways.delivery import sending
from credit_pathways.models import Program, ProgramCertRecord, UserCreditPathway
from credit_pathways.signals import credit_requested
from tests import factories
from tests.support.database import interrupted
from tests.support.receivers import connected
from tests.support.threads import run_together

pytestmark = pytest.mark.django_db(transaction=True)

#: What a learner does to a program, with the status if it succeeds.
SUCCESSES = {"send": 200, "request_credit": 302, "share": 201, "share_link": 302}
REQUESTS = ("send", "request_credit")


@pytest.fixture
def post(client, program, pathway, settings):
    """Return a function that posts to one of the URLs of the program, each time from a new window."""
    settings.CREDIT_PATHWAYS_REQUEST_RATE = None
    cookie = f"sessionid={client.cookies['sessionid'].value}"

    def post(name):
        client = Client(headers={"Cookie": cookie})
        url = reverse(f"credit_pathways:{name}", args=[program.uuid])
        data = {"username": "halima", "pathway_id": pathway.pk}
        if name in ("send", "share"):
            return client.post(url, data, content_type="application/json")
        return client.post(url, {"pathway": pathway.pk})

    return post


def statuses():
    return list(UserCreditPathway.objects.order_by("pk").values_list("status", flat=True))


def links(texts):
    """Return the uuids of the public links in ``texts``."""
    return {UUID(uuid) for text in texts for uuid in re.findall(r"shared/([0-9a-f-]+)", text)}


def emailed_links(relay):
    return links(message.get_body(("plain",)).get_content() for message in relay.messages)


def rows(row):
    return type(row)._default_manager.filter(pk=row.pk)


@pytest.mark.usefixtures("atomic_requests")
class TestSharing:
    """Clicks of the same learner, for the same program."""

    def test_at_once(self, post, relay):
        for _time in range(3):
            ProgramCertRecord.objects.all().delete()
            clicks = ["share", "share", "share_link", "send", "request_credit"]
            responses = run_together(*(partial(post, click) for click in clicks))
            assert {response.status_code for response in responses} <= {200, 201, 302}
            shared = links(response.content.decode() for response in responses)
            assert shared == {ProgramCertRecord.objects.get().uuid}
        assert statuses() == ["sent"] * len(relay.messages) == ["sent"] * 6

    def test_next_to_revoking(self, post):
        def repeat(name):
            return [post(name).status_code for _time in range(20)]

        shared, revoked = sorted(run_together(partial(repeat, "share"), partial(repeat, "revoke")))
        assert set(shared) <= {200, 201}
        assert set(revoked) == {302}

    @pytest.mark.parametrize("is_revoked", [False, True], ids=["shared", "shared and revoked"])
    @pytest.mark.parametrize("name", SUCCESSES)
    def test_shared_by_another_click_just_before(self, name, is_revoked, post, learner, program, relay):
        share = partial(api.share_record, user=learner, program=program)
        revoke = ProgramCertRecord.objects.all().delete if is_revoked else None
        with interrupted("INSERT INTO", ProgramCertRecord, before=share, after=revoke):
            assert post(name).status_code == SUCCESSES[name]
        assert emailed_links(relay) <= {ProgramCertRecord.objects.get().uuid}
        assert statuses() == ["sent"] * len(relay.messages) == ["sent"] * (name in REQUESTS)

    @pytest.mark.parametrize("name", REQUESTS)
    def test_revoked_during_a_request(self, name, post, learner, program, relay):
        """Whoever withdraws the link wins, and the next click shares the record again."""
        api.share_record(user=learner, program=program)
        revoke = partial(api.revoke_record, user=learner, program=program)
        with interrupted("INSERT INTO", UserCreditPathway, before=revoke):
            post(name)
        assert (statuses(), relay.messages) == (["failed"], [])
        assert post(name).status_code == SUCCESSES[name]
        assert statuses() == ["failed", "sent"]

    def test_revoked_twice(self, post, learner, program):
        shared_record, is_locked = api.share_record(user=learner, program=program), threading.Event()

        def revoke_slowly():
            with transaction.atomic():
                shared_record.delete()
                is_locked.set()
                time.sleep(0.3)

        def revoke():
            assert is_locked.wait(30)
            return post("revoke").status_code

        assert 302 in run_together(revoke_slowly, revoke)
        assert not ProgramCertRecord.objects.exists()


@pytest.mark.usefixtures("atomic_requests")
@pytest.mark.parametrize("name", SUCCESSES)
def test_a_commit_that_conflicts(name, post, monkeypatch, relay):
    """As at SERIALIZABLE. Nothing of what was rolled back is left, such as the link."""
    wrapper = type(connections["default"])
    failures, commit = [], wrapper._commit

    def fail_once(connection):
        if not failures and ProgramCertRecord.objects.exists():
            failures.append(1)
            raise OperationalError from SerializationError
        return commit(connection)

    class SerializationError(Exception):
        sqlstate = "40001"

    monkeypatch.setattr(wrapper, "_commit", fail_once)
    assert post(name).status_code == SUCCESSES[name]
    assert failures
    assert ProgramCertRecord.objects.count() == 1
    assert statuses() == ["sent"] * len(relay.messages) == ["sent"] * (name in REQUESTS)


class TestFunctionsOfTheHostForOnCommit:
    """Their errors come too late to change what was done."""

    @pytest.fixture
    def receivers(self):
        def fail():
            raise LookupError("Halima")

        def receiver(**kwargs):
            transaction.on_commit(fail)

        with (
            connected(post_save, receiver, sender=ProgramCertRecord),
            connected(post_delete, receiver, sender=ProgramCertRecord),
        ):
            yield

    @pytest.mark.parametrize("name", SUCCESSES)
    def test_sharing_and_revoking(self, name, post, relay, receivers):
        assert post(name).status_code == SUCCESSES[name]
        assert ProgramCertRecord.objects.exists()
        assert statuses() == ["sent"] * len(relay.messages) == ["sent"] * (name in REQUESTS)
        assert post("revoke").status_code == 302
        assert not ProgramCertRecord.objects.exists()

    def test_retirement(self, learner, request_row, receivers):
        api.retire_learner(user=learner)
        assert statuses() == ["failed"]


class TestRetirement:
    def test_next_to_requests(self, post, learner, relay):
        def request():
            return [post("send").json()["status"] for _time in range(10)]

        def retire():
            return [api.retire_learner(user=learner) for _time in range(20)]

        run_together(request, retire)
        assert sorted(statuses()) == ["failed"] * (10 - len(relay.messages)) + ["sent"] * len(relay.messages)
        reasons = {row.failure_reason for row in UserCreditPathway.objects.filter(status="failed")}
        assert reasons <= {sending.RETIRED, sending.NOT_SHARED}


@pytest.mark.usefixtures("atomic_requests")
class TestGone:
    """What a click is about is deleted at the same time."""

    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("gone", ["learner", "pathway", "program"])
    @pytest.mark.parametrize("name", REQUESTS)
    def test_during_a_request(self, name, gone, moment, post, request, relay):
        row = rows(request.getfixturevalue(gone))
        with interrupted("INSERT INTO", UserCreditPathway, **{moment: row.delete}):
            response = post(name)
        assert response.status_code in ({SUCCESSES[name]} if row else {404, 302})
        assert statuses() == ["sent"] * len(relay.messages) == ["sent"] * bool(row)

    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("gone", ["learner", "program"])
    @pytest.mark.parametrize("name", ["share", "share_link"])
    def test_during_sharing(self, name, gone, moment, post, request):
        row = rows(request.getfixturevalue(gone))
        with interrupted("INSERT INTO", ProgramCertRecord, **{moment: row.delete}):
            assert post(name).status_code == (SUCCESSES[name] if row else 404)
        assert ProgramCertRecord.objects.exists() == bool(row)

    def test_during_revoking(self, post, learner, program):
        api.share_record(user=learner, program=program)
        with interrupted("DELETE FROM", ProgramCertRecord, before=rows(learner).delete):
            assert post("revoke").status_code == 302
        assert not ProgramCertRecord.objects.exists()

    @pytest.mark.parametrize("name", REQUESTS)
    def test_between_the_request_and_its_delivery(self, name, post, learner, relay):
        def delete(**kwargs):
            learner.delete()

        with connected(credit_requested, delete):
            assert post(name).status_code < 500
        assert (statuses(), relay.messages) == ([], [])

    @pytest.mark.parametrize("name", REQUESTS)
    def test_a_pathway_is_retired(self, name, post, pathway, relay):
        retire = partial(rows(pathway).update, status="retired")
        with interrupted("INSERT INTO", UserCreditPathway, before=retire):
            assert post(name).status_code in (SUCCESSES[name], 404)
        assert statuses() == ["sent"] * len(relay.messages)


def test_two_conflicts_in_a_row_do_not_mean_that_something_is_gone(learner, program, pathway):
    taken = factories.ProgramCertRecordFactory().uuid

    def take(instance, **kwargs):
        instance.uuid = taken

    with connected(pre_save, take, sender=ProgramCertRecord):
        with pytest.raises(IntegrityError):
            api.share_record(user=learner, program=program)
        with pytest.raises(IntegrityError):
            api.request_credit(user=learner, program=program, pathways=[pathway])
    assert not UserCreditPathway.objects.exists()


class TestRetryOnce:
    @pytest.fixture
    def calls(self):
        return []

    @pytest.fixture
    def share(self, calls, learner, program):
        """A function that violates a constraint if it is called twice."""

        def share():
            calls.append(program)
            return ProgramCertRecord.objects.create(user=learner, program=program)

        return share

    def test_after_a_deadlock(self, calls):
        """Each of two transactions needs what the other has locked. On SQLite, both need its only lock."""
        pks = [program.pk for program in factories.ProgramFactory.create_batch(2)]
        both_locked, one_done = threading.Barrier(2), threading.Event()

        def change(locked, changed):
            is_retry = locked in calls
            calls.append(locked)
            if is_retry:
                assert one_done.wait(30)
            Program.objects.select_for_update().get(pk=locked)
            if not is_retry:
                both_locked.wait(30)
            return Program.objects.filter(pk=changed).update(title="Changed")

        def run(locked, changed):
            result = database.retry_once(partial(change, locked, changed))
            one_done.set()
            return result

        assert run_together(partial(run, *pks), partial(run, *reversed(pks))) == [1, 1]
        assert len(calls) == 3

    def test_not_twice(self, share, calls):
        share()
        with pytest.raises(IntegrityError):
            database.retry_once(share)
        assert len(calls) == 1 + 2

    def test_not_inside_a_transaction_of_the_caller(self, share, calls):
        share()
        with pytest.raises(IntegrityError), transaction.atomic():
            database.retry_once(share)
        assert len(calls) == 1 + 1

    def test_not_after_the_commit(self, share, calls, caplog):
        """A function that the host has registered for the commit violates a constraint. That changes no result."""

        def share_and_share_again_on_commit():
            transaction.on_commit(share)
            return share()

        assert database.retry_once(share_and_share_again_on_commit) == ProgramCertRecord.objects.get()
        assert len(calls) == 2
        assert "a function for on_commit raised IntegrityError" in caplog.text

    def test_not_after_other_errors(self, calls):
        def execute():
            calls.append("SELECT")
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM no_such_table")

        with pytest.raises(DatabaseError):
            database.retry_once(execute)
        assert len(calls) == 1
