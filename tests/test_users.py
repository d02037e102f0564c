"""Unusual user models. ``tests/unusual`` has one without an email address and ``is_active``."""

import json

import pytest
from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db.models import Manager, Q
from django.urls import reverse

from credit_pathways import users
from credit_pathways.admin import UserCreditPathwayAdmin
from credit_pathways.models import ProgramCertRecord, UserCreditPathway
from credit_pathways.shortcuts import find_learner
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

User = get_user_model()


def post(client, name, body, *args):
    url = reverse(f"credit_pathways:{name}", args=args)
    return client.post(url, json.dumps(body), content_type="application/json")


class TestUsernamesThatAreNotText:
    @pytest.fixture(autouse=True)
    def _username_field(self, monkeypatch):
        monkeypatch.setattr(User, "USERNAME_FIELD", "id")

    def test_pages_and_json(self, client, program, pathway, learner):
        type(learner).objects.update(**factories.name_fields(""))
        body = {"username": str(learner.pk), "pathway_id": pathway.pk}
        assert post(client, "share", body, program.uuid).status_code == 201
        assert post(client, "send", body, program.uuid).json()["status"] == "sent"
        assert post(client, "share", {"username": "halima"}, program.uuid).status_code == 403
        shared = ProgramCertRecord.objects.get()
        pages = [("program_record", program.uuid), ("public_record", shared.uuid), ("public_record_csv", shared.uuid)]
        for name, uuid in pages:
            assert str(learner.pk) in client.get(reverse(f"credit_pathways:{name}", args=[uuid])).content.decode()
        row = client.get(reverse("credit_pathways:api-credit-requests-list")).json()["results"][0]
        assert row["username"] == str(learner.pk)

    def test_looking_for_learners(self, log_in_staff, learner, request_row):
        assert find_learner(str(learner.pk)) == learner
        assert find_learner("nobody") is None
        client = log_in_staff("retire_learner", "view_usercreditpathway")
        assert post(client, "api-retire-learner", {"username": "nobody"}).status_code == 404
        rows = reverse("credit_pathways:api-credit-requests-list")
        assert client.get(rows, {"user": "nobody"}).json()["results"] == []
        assert [row["id"] for row in client.get(rows, {"user": str(learner.pk)}).json()["results"]] == [request_row.pk]
        lists = reverse("admin:credit_pathways_usercreditpathway_changelist")
        assert client.get(lists, {"q": "nobody@x.example"}).status_code == 200
        assert post(client, "api-retire-learner", {"username": str(learner.pk)}).status_code == 204
        assert UserCreditPathway.objects.get().status == "failed"


class _NobodyManager(Manager):
    def get_queryset(self):
        return super().get_queryset().none()


def test_accounts_that_the_default_manager_leaves_out(learner, request_row, monkeypatch):
    manager = _NobodyManager()
    manager.model = User
    monkeypatch.setitem(vars(User._meta), "default_manager", manager)
    assert UserCreditPathwayAdmin(UserCreditPathway, site).exact_match("halima") == Q(user__in=[learner.pk])
    call_command("retire_learner", "halima")
    assert not ProgramCertRecord.objects.exists()


def test_users_without_permissions(client, learner, monkeypatch):
    """Subclasses of ``AbstractBaseUser`` alone."""
    monkeypatch.setattr(users, "hasattr", lambda *_arguments: False, raising=False)
    assert post(client, "api-retire-learner", {"username": "halima"}).status_code == 403
    assert client.get(reverse("credit_pathways:api-credit-requests-list")).status_code == 200


def test_an_address_that_is_not_text(learner, monkeypatch):
    """But another model's row, for example."""
    monkeypatch.setattr(User, "EMAIL_FIELD", "pk", raising=False)
    assert users.email_address(learner) == ""
