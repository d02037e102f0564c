"""The public Python API. test_promises.py tests the delivery promises."""

import pytest

from credit_pathways import api
from credit_pathways.models import ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support.record_source import NO_RECORD, FixedRecordSource
from tests.support.threads import run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)


class TestRequestCredit:
    def test_writes_a_row_for_each_pathway_with_its_program(self, learner, program, pathway, relay):
        other = factories.PathwayFactory(programs=[program])
        requests = api.request_credit(user=learner, program=program, pathways=[other, pathway])
        rows = UserCreditPathway.objects.in_bulk()
        assert [
            (row.user, row.pathway, row.program, row.status) for row in (rows[request.pk] for request in requests)
        ] == [
            (learner, other, program, "sent"),
            (learner, pathway, program, "sent"),
        ]
        assert {message["To"] for message in relay.messages} == {pathway.email, other.email}

    @pytest.mark.parametrize("completed", [False, True])
    def test_records_whether_the_program_is_completed_now(
        self, completed, learner, program, pathway, relay, monkeypatch
    ):
        monkeypatch.setattr(FixedRecordSource, "completed", completed)
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        monkeypatch.setattr(FixedRecordSource, "completed", not completed)
        api.request_credit(user=learner, program=program, pathways=[pathway])
        assert request.completed is completed
        assert UserCreditPathway.objects.get(pk=request.pk).completed is completed

    def test_completion_in_the_email_is_that_of_the_delivery(self, learner, program, pathway, relay, monkeypatch):
        relay.replies["RCPT"] = "451 try later"
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        relay.replies.clear()
        monkeypatch.setattr(FixedRecordSource, "completed", True)
        assert api.deliver(request) == "sent"
        assert "Status: completed" in relay.messages[0].get_body(("plain",)).get_content()
        assert UserCreditPathway.objects.get().completed is False

    def test_shares_the_record_once(self, learner, program, pathway, relay):
        for _time in range(2):
            api.request_credit(user=learner, program=program, pathways=[pathway])
        assert ProgramCertRecord.objects.get().user == learner

    def test_each_request_is_a_new_row_and_a_new_email(self, learner, program, pathway, relay):
        for _time in range(3):
            api.request_credit(user=learner, program=program, pathways=[pathway])
        assert (UserCreditPathway.objects.count(), len(relay.messages)) == (3, 3)

    def test_two_programs_that_share_a_pathway_can_both_be_requested(self, learner, program, pathway, relay):
        other = factories.ProgramFactory()
        pathway.programs.add(other)
        for each in (program, other):
            api.request_credit(user=learner, program=each, pathways=[pathway])
        assert set(UserCreditPathway.objects.values_list("program", flat=True)) == {program.pk, other.pk}

    def test_a_pathway_given_twice_is_one_request(self, learner, program, pathway, relay):
        assert len(api.request_credit(user=learner, program=program, pathways=[pathway, pathway])) == 1

    def test_without_pathways_nothing_is_written(self, learner, program):
        assert api.request_credit(user=learner, program=program, pathways=[]) == []
        assert not ProgramCertRecord.objects.exists()

    def test_if_one_is_not_requestable_nothing_is_written(self, learner, program, pathway, relay):
        other = factories.PathwayFactory(programs=[program], status="retired")
        with pytest.raises(api.NotRequestable, match=rf"\[{other.pk}\]"):
            api.request_credit(user=learner, program=program, pathways=[pathway, other])
        assert not UserCreditPathway.objects.exists()
        assert not ProgramCertRecord.objects.exists()
        assert relay.messages == []

    def test_without_a_record_there_is_nothing_to_request(self, program, pathway, relay):
        nobody = factories.UserFactory(username=NO_RECORD)
        with pytest.raises(api.NotRequestable):
            api.request_credit(user=nobody, program=program, pathways=[pathway])
        assert not UserCreditPathway.objects.exists()
        assert not ProgramCertRecord.objects.exists()


class TestSharing:
    def test_sharing_twice_is_the_same_link(self, learner, program):
        assert api.share_record(user=learner, program=program) == api.share_record(user=learner, program=program)

    def test_sharing_after_revoking_is_a_new_link(self, learner, program):
        old = api.share_record(user=learner, program=program)
        api.revoke_record(user=learner, program=program)
        assert api.public_record(uuid=old.uuid, site=program.site) is None
        new = api.share_record(user=learner, program=program)
        assert new.uuid != old.uuid
        assert api.public_record(uuid=old.uuid, site=program.site) is None

    def test_revoking_what_is_not_shared_changes_nothing(self, learner, program):
        theirs = factories.ProgramCertRecordFactory(program=program)
        api.revoke_record(user=learner, program=program)
        assert list(ProgramCertRecord.objects.all()) == [theirs]

    def test_concurrent_calls_create_one_link(self, learner, program):
        uuids = run_concurrently(4, lambda: api.share_record(user=learner, program=program).uuid)
        assert uuids == [ProgramCertRecord.objects.get().uuid] * 4

    def test_concurrent_requests_share_one_link(self, learner, program, pathway, relay):
        statuses = run_concurrently(
            6, lambda: api.request_credit(user=learner, program=program, pathways=[pathway])[0].status
        )
        assert statuses == ["sent"] * 6
        assert (UserCreditPathway.objects.count(), len(relay.messages)) == (6, 6)
        assert ProgramCertRecord.objects.count() == 1

    def test_concurrent_requests_of_different_learners(self, program, pathway, relay):
        for _time in range(3):
            users = factories.UserFactory.create_batch(6)

            def request(users=users):
                return api.request_credit(user=users.pop(), program=program, pathways=[pathway])[0].status

            assert run_concurrently(6, request) == ["sent"] * 6
        assert len(relay.messages) == ProgramCertRecord.objects.count() == 18


class TestReading:
    def test_program_record(self, learner, program):
        record = api.program_record(user=learner, program=program)
        assert (record.user, record.program, record.shared_record) == (learner, program, None)
        shared = api.share_record(user=learner, program=program)
        assert api.program_record(user=learner, program=program).shared_record == shared

    def test_no_record(self, program):
        assert api.program_record(user=factories.UserFactory(username=NO_RECORD), program=program) is None

    def test_program_records(self, learner, program):
        other = factories.ProgramFactory(title="Algebra")
        factories.ProgramFactory(site=factories.SiteFactory())
        shared = api.share_record(user=learner, program=program)
        factories.ProgramCertRecordFactory(program=other)
        records = api.program_records(user=learner, site=program.site)
        assert [(record.program, record.shared_record) for record in records] == [(other, None), (program, shared)]

    def test_program_records_of_a_learner_without_any(self, program):
        assert api.program_records(user=factories.UserFactory(username=NO_RECORD), site=program.site) == []

    def test_public_record(self, learner, program):
        shared = api.share_record(user=learner, program=program)
        record = api.public_record(uuid=shared.uuid, site=program.site)
        assert (record.user, record.program, record.shared_record) == (learner, program, shared)

    def test_a_public_record_is_on_its_own_site_only(self):
        shared = factories.ProgramCertRecordFactory()
        assert api.public_record(uuid=shared.uuid, site=factories.SiteFactory()) is None

    def test_a_public_record_that_the_record_source_no_longer_has(self, program):
        nobody = factories.UserFactory(username=NO_RECORD)
        shared = factories.ProgramCertRecordFactory(user=nobody, program=program)
        assert api.public_record(uuid=shared.uuid, site=program.site) is None
