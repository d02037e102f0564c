"""The models, and the rules that are querysets."""

import pytest
from credentials.apps.catalog.models import Program as HostsProgram
from django.db import IntegrityError
from django.db.models import ProtectedError

from credit_pathways.models import Pathway, Program, UserCreditPathway
from tests import factories

pytestmark = pytest.mark.django_db


class TestRequestable:
    def test_a_published_credit_pathway_with_an_address_is(self, program, pathway):
        assert list(Pathway.objects.requestable_for(program)) == [pathway]

    @pytest.mark.parametrize(
        "change",
        [
            {"status": "unpublished"},
            {"status": "retired"},
            {"pathway_type": "industry"},
            {"email": ""},
            {"programs": []},
        ],
        ids=str,
    )
    def test_every_part_of_the_rule_is_needed(self, change, program):
        factories.PathwayFactory(**{"programs": [program], **change})
        assert not Pathway.objects.requestable_for(program).exists()

    def test_one_of_another_site_is_not(self, program):
        factories.PathwayFactory(programs=[program], site=factories.SiteFactory())
        assert not Pathway.objects.requestable_for(program).exists()

    def test_one_of_another_program_is_not(self, program):
        factories.PathwayFactory(programs=[factories.ProgramFactory()])
        assert not Pathway.objects.requestable_for(program).exists()

    @pytest.mark.parametrize(
        ("other", "message"),
        [(HostsProgram(pk=1, site_id=1), 'Must be "Program" instance'), (Program(site_id=1), "must be saved")],
        ids=["of the host", "not saved"],
    )
    def test_an_object_that_is_not_a_saved_program_is_rejected(self, other, message):
        factories.PathwayFactory()
        with pytest.raises(ValueError, match=message):
            Pathway.objects.requestable_for(other)

    def test_they_are_ordered_by_name(self, program):
        for name in ("B", "A", "C"):
            factories.PathwayFactory(name=name, programs=[program])
        assert [pathway.name for pathway in Pathway.objects.requestable_for(program)] == ["A", "B", "C"]


class TestDeliverable:
    @pytest.mark.parametrize(("status", "expected"), [("pending", True), ("failed", True), ("sent", False)])
    def test_what_was_never_sent_is(self, status, expected):
        request = factories.UserCreditPathwayFactory(status=status)
        assert (request in UserCreditPathway.objects.deliverable()) is expected

    def test_what_has_no_program_is_not(self):
        factories.UserCreditPathwayFactory(program=None, pathway=factories.PathwayFactory())
        assert not UserCreditPathway.objects.deliverable().exists()


class TestConstraints:
    def test_a_learner_may_have_any_number_of_the_same_request(self):
        request = factories.UserCreditPathwayFactory()
        again = UserCreditPathway.objects.create(user=request.user, program=request.program, pathway=request.pathway)
        assert (again.status, UserCreditPathway.objects.count()) == ("pending", 2)

    def test_a_record_is_shared_once(self):
        shared = factories.ProgramCertRecordFactory()
        with pytest.raises(IntegrityError):
            factories.ProgramCertRecordFactory(user=shared.user, program=shared.program)

    @pytest.mark.parametrize("factory", [factories.ProgramFactory, factories.PathwayFactory])
    def test_a_uuid_is_unique_per_site(self, factory):
        row = factory()
        elsewhere = factory(uuid=row.uuid, site=factories.SiteFactory())
        assert elsewhere.uuid == row.uuid
        with pytest.raises(IntegrityError):
            factory(uuid=row.uuid)

    def test_what_was_requested_cannot_be_deleted_but_the_learner_can(self):
        request = factories.UserCreditPathwayFactory()
        for row in (request.program, request.pathway):
            with pytest.raises(ProtectedError):
                row.delete()
        request.user.delete()
        assert not UserCreditPathway.objects.exists()


def test_representations_contain_nothing_about_the_learner():
    request, shared = factories.UserCreditPathwayFactory(), factories.ProgramCertRecordFactory()
    assert str(request) == f"credit request {request.pk}"
    assert str(shared) == f"shared program record {shared.pk}"
    assert (str(request.program), str(request.pathway)) == (request.program.title, request.pathway.name)
