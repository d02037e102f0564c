"""The JSON endpoints. What becomes of a mail is in test_promises.py, malformed input in test_malformed.py."""

import uuid
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.serializers import Serializer

from credit_pathways.models import ProgramCertRecord, UserCreditPathway
from credit_pathways.rest_api.serializers import GradeSerializer, PathwaySerializer, prepared
from tests import factories
from tests.support.record_source import EARNED, NO_RECORD, NOT_EARNED

pytestmark = pytest.mark.django_db(transaction=True)


def url(name, *args):
    return reverse(f"credit_pathways:{name}", args=args)


def post(client, name, program, **body):
    return client.post(url(name, program.uuid), {"username": "halima", **body}, content_type="application/json")


class TestSend:
    def test_sends_and_says_so(self, client, program, pathway, relay):
        answer = post(client, "send", program, pathway_id=pathway.pk)
        row = UserCreditPathway.objects.get()
        assert (answer.status_code, answer.json()) == (200, {"id": row.pk, "status": "sent"})
        assert (row.user.username, row.program, row.pathway, len(relay.mails)) == ("halima", program, pathway, 1)

    def test_what_waits_for_a_transaction_is_accepted_as_pending(self, client, program, pathway, relay):
        with transaction.atomic():
            answer = post(client, "send", program, pathway_id=pathway.pk)
            assert (answer.status_code, answer.json()["status"], relay.mails) == (202, "pending", [])
        assert UserCreditPathway.objects.get().status == "sent"

    def test_as_a_string_the_id_is_the_same(self, client, program, pathway, relay):
        assert post(client, "send", program, pathway_id=str(pathway.pk)).status_code == 200

    def test_several_at_once_are_a_row_and_a_mail_each(self, client, program, pathway, relay):
        others = [factories.PathwayFactory(programs=[program]) for _number in range(4)]
        for each in [pathway, *others]:
            assert post(client, "send", program, pathway_id=each.pk).status_code == 200
        assert (UserCreditPathway.objects.count(), len(relay.mails), ProgramCertRecord.objects.count()) == (5, 5, 1)

    @pytest.mark.parametrize(
        "change", [{"status": "retired"}, {"email": ""}, {"programs": []}, {"pathway_type": "industry"}], ids=str
    )
    def test_a_pathway_that_is_not_requestable_is_not_found(self, change, client, program, relay):
        pathway = factories.PathwayFactory(**{"programs": [program], **change})
        answer = post(client, "send", program, pathway_id=pathway.pk)
        assert (answer.status_code, "pathway_id" in answer.json()["detail"]) == (404, True)
        assert not UserCreditPathway.objects.exists()

    def test_one_that_does_not_exist_is_not_found(self, client, program):
        assert post(client, "send", program, pathway_id=2**63 - 1).status_code == 404

    def test_one_of_another_site_is_not_found(self, client, program):
        pathway = factories.PathwayFactory(programs=[program], site=factories.SiteFactory())
        assert post(client, "send", program, pathway_id=pathway.pk).status_code == 404


class TestShare:
    def test_201_then_200_with_the_same_link(self, client, program):
        first, again = post(client, "share", program), post(client, "share", program)
        link = f"https://example.com/records/programs/shared/{ProgramCertRecord.objects.get().uuid}/"
        assert (first.status_code, first.json()) == (201, {"url": link})
        assert (again.status_code, again.json()) == (200, {"url": link})


@pytest.mark.parametrize("name", ["send", "share"])
class TestWhoMay:
    def test_a_stranger_may_not_and_is_not_redirected(self, name, client, program, pathway):
        client.logout()
        assert post(client, name, program, pathway_id=pathway.pk).status_code == 403

    def test_only_the_learner_may_staff_included(self, name, client, program, pathway, learner, relay):
        client.force_login(factories.UserFactory(is_staff=True, is_superuser=True))
        answer = post(client, name, program, pathway_id=pathway.pk)
        assert (answer.status_code, "username" in answer.json()["detail"]) == (403, True)
        assert (relay.mails, ProgramCertRecord.objects.count()) == ([], 0)

    @pytest.mark.parametrize("username", [" halima", "halima ", "Halima"])
    def test_the_username_has_to_be_exact(self, name, username, client, program, pathway):
        assert post(client, name, program, pathway_id=pathway.pk, username=username).status_code == 403

    def test_an_unknown_program_is_not_found(self, name, client, pathway):
        assert post(client, name, factories.ProgramFactory.build(site=None), pathway_id=pathway.pk).status_code == 404

    def test_a_program_of_another_site_is_not_found(self, name, client, pathway):
        program = factories.ProgramFactory(site=factories.SiteFactory())
        assert post(client, name, program, pathway_id=pathway.pk).status_code == 404

    def test_without_a_record_there_is_nothing(self, name, client, program, pathway):
        client.force_login(factories.UserFactory(username=NO_RECORD))
        answer = post(client, name, program, pathway_id=pathway.pk, username=NO_RECORD)
        assert (answer.status_code, ProgramCertRecord.objects.count()) == (404, 0)

    def test_needs_the_csrf_token(self, name, program, pathway, learner):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(learner)
        assert post(strict, name, program, pathway_id=pathway.pk).status_code == 403

    @pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
    def test_other_methods_are_not_allowed(self, name, method, client, program):
        assert getattr(client, method)(url(name, program.uuid)).status_code == 405

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    )
    def test_other_media_types_are_not_supported(self, name, kind, client, program):
        answer = client.post(url(name, program.uuid), data="username=halima", content_type=kind)
        assert answer.status_code == 415

    def test_uuids_without_hyphens(self, name, client, program, pathway, relay):
        body = {"username": "halima", "pathway_id": pathway.pk}
        answer = client.post(f"/records/programs/{program.uuid.hex}/{name}", body, content_type="application/json")
        assert answer.status_code in {200, 201}


class TestFloodGuard:
    def test_it_counts_every_way_together_and_says_when_to_try_again(self, client, program, pathway, relay, settings):
        settings.CREDIT_PATHWAYS_REQUEST_RATE = "3/minute"
        assert post(client, "share", program).status_code == 201
        assert post(client, "send", program, pathway_id=pathway.pk).status_code == 200
        client.post(url("request_credit", program.uuid), {"pathway": pathway.pk})
        answer = post(client, "send", program, pathway_id=pathway.pk)
        assert (answer.status_code, 0 < int(answer["Retry-After"]) <= 60) == (429, True)
        assert post(client, "share", program).status_code == 429
        assert UserCreditPathway.objects.count() == len(relay.mails) == 2

    def test_it_counts_each_learner_alone(self, client, program, pathway, relay, settings):
        settings.CREDIT_PATHWAYS_REQUEST_RATE = "1/minute"
        assert post(client, "send", program, pathway_id=pathway.pk).status_code == 200
        client.force_login(factories.UserFactory(username="dario"))
        assert post(client, "send", program, pathway_id=pathway.pk, username="dario").status_code == 200

    def test_a_rate_that_was_lowered_meanwhile_says_when_too(self, client, program, settings):
        for _time in range(10):
            post(client, "share", program)
        settings.CREDIT_PATHWAYS_REQUEST_RATE = "3/minute"
        answer = post(client, "share", program)
        assert (answer.status_code, answer["Retry-After"]) == (429, "60")

    def test_none_is_unlimited(self, client, program, pathway, relay, settings):
        settings.CREDIT_PATHWAYS_REQUEST_RATE = None
        assert {post(client, "send", program, pathway_id=pathway.pk).status_code for _time in range(20)} == {200}

    def test_the_default_is_fifteen_a_minute(self, client, program):
        assert [post(client, "share", program).status_code for _time in range(16)] == [201] + [200] * 14 + [429]

    def test_earlier_rows_do_not_count(self, client, program, pathway, relay, learner):
        factories.UserCreditPathwayFactory.create_batch(30, user=learner, program=program, pathway=pathway)
        assert post(client, "send", program, pathway_id=pathway.pk).status_code == 200


class Key:
    """As an opaque key of Open edX: no text, but printed as one."""

    def __str__(self):
        return "course-v1:N+P+1"


class TestShapes:
    """What the serializers give by hand is what their fields, which the schema shows, would give."""

    @pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
    @pytest.mark.parametrize(
        "course",
        [
            EARNED,
            NOT_EARNED,
            replace(EARNED, course_id=Key(), percent_grade=Decimal("0.914")),
            replace(EARNED, attempts=None, letter_grade=None, school=None),
        ],
    )
    def test_a_grade(self, course, zone):
        shape = prepared(GradeSerializer)  # made in whatever zone came first
        with timezone.override(zone):
            by_hand = shape.to_representation(course)
            assert by_hand == Serializer.to_representation(GradeSerializer(), course)
        assert type(by_hand["course_id"]) is str
        assert type(by_hand["percent_grade"]) in {float, type(None)}

    def test_a_pathway(self, pathway):
        row = type(pathway).objects.values(*PathwaySerializer.COLUMNS).get()
        by_hand = PathwaySerializer().to_representation(row)
        always = {"status": "", "is_active": True}
        assert by_hand == Serializer.to_representation(PathwaySerializer(), {**row, **always})


class TestProgramRecords:
    def test_list(self, client, program):
        assert client.get(url("api-records-list")).json() == {
            "enrolled_programs": [
                {
                    "name": "Statistics",
                    "uuid": str(program.uuid),
                    "partner": "Northfield University",
                    "completed": False,
                    "empty": False,
                }
            ]
        }

    def test_own_record(self, client, program, pathway, learner):
        factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway, status="sent")
        factories.PathwayFactory(programs=[program], status="unpublished")
        shared = factories.ProgramCertRecordFactory(user=learner, program=program)
        answer = client.get(url("api-records-detail", program.uuid), {"is_public": "false"})
        assert answer.json() == {
            "record": {
                "learner": {"full_name": "Halima Khan", "username": "halima", "email": "halima@home.example"},
                "program": {
                    "name": "Statistics",
                    "type": "micromasters",
                    "type_name": "MicroMasters",
                    "completed": False,
                    "empty": False,
                    "last_updated": "2026-07-01T00:00:00Z",
                    "school": "Northfield University",
                },
                "platform_name": "example.com",
                "grades": [
                    {
                        "name": "Probability",
                        "school": "Northfield",
                        "attempts": 2,
                        "course_id": "course-v1:N+P+1",
                        "issue_date": "2026-06-15T00:00:00Z",
                        "percent_grade": 0.914,
                        "letter_grade": "A",
                    },
                    {
                        "name": "Inference",
                        "school": "Northfield",
                        "attempts": 0,
                        "course_id": "course-v1:N+I+1",
                        "issue_date": None,
                        "percent_grade": None,
                        "letter_grade": "",
                    },
                ],
                "pathways": [
                    {
                        "name": "Master of Science",
                        "id": pathway.pk,
                        "status": "",
                        "is_active": True,
                        "pathway_type": "credit",
                    }
                ],
                "shared_program_record_uuid": str(shared.uuid),
            },
            "is_public": False,
            "uuid": str(program.uuid),
            "records_help_url": "",
        }

    def test_public_record_tells_strangers_less(self, client, program, pathway, learner):
        shared = factories.ProgramCertRecordFactory(user=learner, program=program)
        client.logout()
        answer = client.get(url("api-records-detail", shared.uuid), {"is_public": "true"})
        data = answer.json()
        assert (data["is_public"], data["uuid"]) == (True, str(shared.uuid))
        assert data["record"]["learner"] == {"full_name": "Halima Khan", "username": "", "email": ""}
        assert data["record"]["pathways"] == []
        assert len(data["record"]["grades"]) == 2
        assert b"halima" not in answer.content

    def test_a_record_not_shared(self, client, program):
        data = client.get(url("api-records-detail", program.uuid)).json()
        assert data["record"]["shared_program_record_uuid"] is None

    def test_strangers_are_refused(self, client, program):
        client.logout()
        assert client.get(url("api-records-list")).status_code == 403
        assert client.get(url("api-records-detail", program.uuid)).status_code == 403

    def test_each_uuid_opens_its_own_kind(self, client, program, learner):
        shared = factories.ProgramCertRecordFactory(user=learner, program=program)
        assert client.get(url("api-records-detail", shared.uuid)).status_code == 404
        assert client.get(url("api-records-detail", program.uuid), {"is_public": "true"}).status_code == 404
        assert client.get(url("api-records-detail", uuid.uuid4())).status_code == 404

    @pytest.mark.parametrize("is_staff", [False, True])
    @pytest.mark.parametrize("name", ["api-records-list", "api-records-detail"])
    def test_nobody_reads_anothers_by_username(self, name, is_staff, client, program, learner):
        """Credentials lets staff do so; their own record in its place would be taken for the learner's."""
        learner.is_staff = learner.is_superuser = is_staff
        learner.save()
        address = url(name, program.uuid) if name.endswith("detail") else url(name)
        assert client.get(address, {"username": "dario"}).status_code == 403
        assert client.get(address, {"username": "halima"}).status_code == 200
        assert client.get(address, {"username": ""}).status_code == 200

    def test_a_public_record_is_everybodys(self, program, learner):
        shared = factories.ProgramCertRecordFactory(program=program, user=learner)
        query = {"is_public": "true", "username": "dario"}
        assert Client().get(url("api-records-detail", shared.uuid), query).status_code == 200
