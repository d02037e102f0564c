"""The JSON endpoints. Delivery is tested in test_promises.py, malformed input in test_malformed.py."""

import uuid
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from credit_pathways.models import ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support.links import absolute_url
from tests.support.record_source import EARNED, NO_RECORD, FixedRecordSource

pytestmark = pytest.mark.django_db(transaction=True)


def url(name, *args):
    return reverse(f"credit_pathways:{name}", args=args)


def post(client, name, program, **body):
    return client.post(url(name, program.uuid), {"username": "halima", **body}, content_type="application/json")


class TestSend:
    def test_sends(self, client, program, pathway, relay):
        answer = post(client, "send", program, pathway_id=pathway.pk)
        row = UserCreditPathway.objects.get()
        assert (answer.status_code, answer.json()) == (200, {"id": row.pk, "status": "sent"})
        assert (row.user.username, row.program, row.pathway, len(relay.messages)) == ("halima", program, pathway, 1)

    def test_the_request_is_pending_inside_a_transaction(self, client, program, pathway, relay):
        with transaction.atomic():
            answer = post(client, "send", program, pathway_id=pathway.pk)
            assert (answer.status_code, answer.json()["status"], relay.messages) == (202, "pending", [])
        assert UserCreditPathway.objects.get().status == "sent"

    def test_the_id_as_a_string(self, client, program, pathway, relay):
        assert post(client, "send", program, pathway_id=str(pathway.pk)).status_code == 200

    def test_several_pathways_are_one_row_and_one_email_each(self, client, program, pathway, relay):
        others = [factories.PathwayFactory(programs=[program]) for _number in range(4)]
        for each in [pathway, *others]:
            assert post(client, "send", program, pathway_id=each.pk).status_code == 200
        assert (UserCreditPathway.objects.count(), len(relay.messages), ProgramCertRecord.objects.count()) == (5, 5, 1)

    @pytest.mark.parametrize(
        "change", [{"status": "retired"}, {"email": ""}, {"programs": []}, {"pathway_type": "industry"}], ids=str
    )
    def test_a_pathway_that_is_not_requestable_is_not_found(self, change, client, program, relay):
        pathway = factories.PathwayFactory(**{"programs": [program], **change})
        answer = post(client, "send", program, pathway_id=pathway.pk)
        assert (answer.status_code, "pathway_id" in answer.json()["detail"]) == (404, True)
        assert not UserCreditPathway.objects.exists()

    def test_an_unknown_pathway_is_not_found(self, client, program):
        assert post(client, "send", program, pathway_id=2**63 - 1).status_code == 404

    def test_a_pathway_of_another_site_is_not_found(self, client, program):
        pathway = factories.PathwayFactory(programs=[program], site=factories.SiteFactory())
        assert post(client, "send", program, pathway_id=pathway.pk).status_code == 404


class TestShare:
    def test_201_then_200_with_the_same_link(self, client, program):
        first, again = post(client, "share", program), post(client, "share", program)
        link = absolute_url("public_record", ProgramCertRecord.objects.get().uuid)
        assert (first.status_code, first.json()) == (201, {"url": link})
        assert (again.status_code, again.json()) == (200, {"url": link})


@pytest.mark.parametrize("name", ["send", "share"])
class TestPermissions:
    def test_anonymous_users_are_refused(self, name, client, program, pathway):
        client.logout()
        assert post(client, name, program, pathway_id=pathway.pk).status_code == 403

    def test_staff_cannot_act_for_the_learner(self, name, client, program, pathway, learner, relay):
        client.force_login(factories.UserFactory(is_staff=True, is_superuser=True))
        answer = post(client, name, program, pathway_id=pathway.pk)
        assert (answer.status_code, "username" in answer.json()["detail"]) == (403, True)
        assert (relay.messages, ProgramCertRecord.objects.count()) == ([], 0)

    @pytest.mark.parametrize("username", [" halima", "halima ", "Halima"])
    def test_the_username_has_to_be_exact(self, name, username, client, program, pathway):
        assert post(client, name, program, pathway_id=pathway.pk, username=username).status_code == 403

    def test_an_unknown_program_is_not_found(self, name, client, pathway):
        assert post(client, name, factories.ProgramFactory.build(site=None), pathway_id=pathway.pk).status_code == 404

    def test_a_program_of_another_site_is_not_found(self, name, client, pathway):
        program = factories.ProgramFactory(site=factories.SiteFactory())
        assert post(client, name, program, pathway_id=pathway.pk).status_code == 404

    def test_without_a_record(self, name, client, program, pathway):
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
        answer = client.post(f"{url('index')}programs/{program.uuid.hex}/{name}", body, content_type="application/json")
        assert answer.status_code in {200, 201}


@pytest.mark.usefixtures("working_cache")
class TestFloodGuard:
    def test_counts_every_way_of_requesting_and_sharing(self, client, program, pathway, relay, settings):
        settings.CREDIT_PATHWAYS_REQUEST_RATE = "3/minute"
        assert post(client, "share", program).status_code == 201
        assert post(client, "send", program, pathway_id=pathway.pk).status_code == 200
        client.post(url("request_credit", program.uuid), {"pathway": pathway.pk})
        answer = post(client, "send", program, pathway_id=pathway.pk)
        assert (answer.status_code, 0 < int(answer["Retry-After"]) <= 60) == (429, True)
        assert post(client, "share", program).status_code == 429
        assert UserCreditPathway.objects.count() == len(relay.messages) == 2

    @pytest.mark.parametrize("name", ["send", "share"])
    def test_counts_only_well_formed_posts(self, name, client, program, pathway, relay, settings):
        settings.CREDIT_PATHWAYS_REQUEST_RATE = "1/minute"
        path, form = url(name, program.uuid), url({"send": "request_credit", "share": "share_link"}[name], program.uuid)
        answers = [client.generic(method, path).status_code for method in ("GET", "PUT", "OPTIONS", "HEAD")]
        answers += [client.get(form).status_code, client.post(path, {"username": "halima"}).status_code]
        answers += [
            client.post(path, body, content_type="application/json").status_code
            for body in ("{", {}, {"username": "dario", "pathway_id": pathway.pk})
        ]
        assert answers == [405, 405, 200, 405, 405, 415, 400, 400, 403]
        assert post(client, name, program, pathway_id=pathway.pk).status_code in (200, 201)
        assert post(client, name, program, pathway_id=pathway.pk).status_code == 429

    def test_counts_each_learner_separately(self, client, program, pathway, relay, settings):
        settings.CREDIT_PATHWAYS_REQUEST_RATE = "1/minute"
        assert post(client, "send", program, pathway_id=pathway.pk).status_code == 200
        client.force_login(factories.UserFactory(username="dario"))
        assert post(client, "send", program, pathway_id=pathway.pk, username="dario").status_code == 200

    def test_retry_after_a_lowered_rate(self, client, program, settings):
        for _time in range(10):
            post(client, "share", program)
        settings.CREDIT_PATHWAYS_REQUEST_RATE = "3/minute"
        answer = post(client, "share", program)
        assert (answer.status_code, answer["Retry-After"]) == (429, "60")

    def test_none_is_unlimited(self, client, program, pathway, relay, settings):
        settings.CREDIT_PATHWAYS_REQUEST_RATE = None
        assert {post(client, "send", program, pathway_id=pathway.pk).status_code for _time in range(20)} == {200}

    def test_the_default_is_fifteen_per_minute(self, client, program):
        assert [post(client, "share", program).status_code for _time in range(16)] == [201] + [200] * 14 + [429]

    def test_earlier_rows_do_not_count(self, client, program, pathway, relay, learner):
        factories.UserCreditPathwayFactory.create_batch(30, user=learner, program=program, pathway=pathway)
        assert post(client, "send", program, pathway_id=pathway.pk).status_code == 200


class OpaqueKey:
    """Like Open edX's course keys: not a string, but printed as one."""

    def __str__(self):
        return "course-v1:N+P+1"


class TestProgramRecords:
    @pytest.mark.usefixtures("working_cache")
    def test_a_cache_of_the_whole_site_keeps_no_json(self, client, program, request_row, settings):
        settings.MIDDLEWARE = [
            "django.middleware.cache.UpdateCacheMiddleware",
            *settings.MIDDLEWARE,
            "django.middleware.cache.FetchFromCacheMiddleware",
        ]
        pages = [url("api-records-list"), url("api-records-detail", program.uuid), url("api-credit-requests-list")]
        before = [client.get(page) for page in pages]
        program.title = "Renamed"
        program.save()
        for page, old in zip(pages, before, strict=True):
            assert "no-store" in old["Cache-Control"]
            assert "Renamed" in client.get(page).content.decode()

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
                "learner": {"full_name": "Halima Khan", "username": "halima", "email": getattr(learner, "email", "")},
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
                        "letter_grade": "Distinction",
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

    @pytest.mark.parametrize(
        ("zone", "issue_date"), [("UTC", "2026-06-15T00:00:00Z"), ("Asia/Kathmandu", "2026-06-15T05:45:00+05:45")]
    )
    def test_grades_of_other_types(self, zone, issue_date, client, program, monkeypatch, settings):
        settings.TIME_ZONE = zone
        course = replace(EARNED, course_id=OpaqueKey(), percent_grade=Decimal("0.914"), attempts=None, school=None)
        monkeypatch.setattr(FixedRecordSource, "courses", [course])
        [grade] = client.get(url("api-records-detail", program.uuid)).json()["record"]["grades"]
        assert grade == {
            "name": "Probability",
            "school": None,
            "attempts": None,
            "course_id": "course-v1:N+P+1",
            "issue_date": issue_date,
            "percent_grade": 0.914,
            "letter_grade": "Distinction",
        }

    def test_public_record(self, client, program, pathway, learner):
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

    def test_anonymous_users_are_refused(self, client, program):
        client.logout()
        assert client.get(url("api-records-list")).status_code == 403
        assert client.get(url("api-records-detail", program.uuid)).status_code == 403

    def test_a_uuid_of_the_other_kind_is_not_found(self, client, program, learner):
        shared = factories.ProgramCertRecordFactory(user=learner, program=program)
        assert client.get(url("api-records-detail", shared.uuid)).status_code == 404
        assert client.get(url("api-records-detail", program.uuid), {"is_public": "true"}).status_code == 404
        assert client.get(url("api-records-detail", uuid.uuid4())).status_code == 404

    @pytest.mark.parametrize("is_staff", [False, True])
    @pytest.mark.parametrize("name", ["api-records-list", "api-records-detail"])
    def test_the_username_parameter_must_be_the_users_own(self, name, is_staff, client, program, learner):
        """Credentials lets staff read a learner's record this way. Here they would mistake their own record for it."""
        learner.is_staff = learner.is_superuser = is_staff
        learner.save()
        address = url(name, program.uuid) if name.endswith("detail") else url(name)
        assert client.get(address, {"username": "dario"}).status_code == 403
        assert client.get(address, {"username": "halima"}).status_code == 200
        assert client.get(address, {"username": ""}).status_code == 200

    def test_the_username_parameter_of_a_public_record(self, program, learner):
        shared = factories.ProgramCertRecordFactory(program=program, user=learner)
        query = {"is_public": "true", "username": "dario"}
        assert Client().get(url("api-records-detail", shared.uuid), query).status_code == 200
