"""A learner is retired in Credentials, before Credentials replaces the username (ADR 0020)."""

import io
import time
from importlib.util import find_spec

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from credit_pathways import api
from credit_pathways.models import UserCreditPathway

from . import factories
from .conftest import local_copy, sync

# Delivery raises an error inside a transaction.
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("credit_pathways.contrib.credentials.urls"),
]

URL = "/records/api/v1/retire_learner/"
WORKER = "retirement_service_worker"
RETIRED = "retired__user_1234"


@pytest.fixture
def shared_record(learner):
    """A shared record, with a failed and a pending request."""
    factories.configure()
    run = factories.CourseRunFactory()
    factories.earn(run, learner.username)
    program = factories.ProgramFactory(course_runs=[run])
    pathway = factories.PathwayFactory(programs=[program])
    sync()
    values = {"user": learner, "program": local_copy(program), "pathway": local_copy(pathway)}
    for status in ("failed", "pending"):
        UserCreditPathway.objects.create(status=status, **values)
    return api.share_record(user=learner, program=values["program"])


@pytest.fixture
def worker(db):
    """The service user of the retirement pipeline, with one permission."""
    worker = get_user_model().objects.create(username=WORKER)
    worker.user_permissions.add(Permission.objects.get(codename="retire_learner"))
    return worker


def post(client, path, body, **headers):
    return client.post(path, body, content_type="application/json", headers=headers)


def public_pages(shared_record):
    """Return the status codes of the page, the CSV and the JSON of the public link."""
    uuid = shared_record.uuid.hex
    page = f"/records/programs/shared/{uuid}/"
    pages = (page, f"{page}csv", f"/records/api/v1/program_records/{uuid}/?is_public=true")
    return [Client().get(path).status_code for path in pages]


def deliver_again(rows):
    """Deliver requests in the admin, and return the messages."""
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("staff", "staff@open.example"))
    url = "/admin/credit_pathways/usercreditpathway/deliver-again/"
    return [str(message) for message in client.post(url, {"id": rows}, follow=True).context["messages"]]


def assert_retired(shared_record):
    rows = list(UserCreditPathway.objects.order_by("pk"))
    assert [row.status for row in rows] == ["failed", "failed"]
    assert public_pages(shared_record) == [404, 404, 404]
    messages = deliver_again([row.pk for row in rows])
    assert len(messages) == 2
    assert all("not delivered" in message for message in messages)
    assert [api.deliver(row) for row in rows] == ["failed", "failed"]
    out = io.StringIO()
    call_command("deliver_pending", older_than=0, stdout=out)
    assert out.getvalue().startswith("0 requests")
    assert mail.outbox == []


def test_the_endpoint_with_a_session(shared_record, worker):
    client = Client(enforce_csrf_checks=True)
    client.force_login(worker)
    assert post(client, URL, {"username": "halima"}).status_code == 403
    assert public_pages(shared_record) == [200, 200, 200]
    client.cookies[django_settings.CSRF_COOKIE_NAME] = token = "a" * 32
    assert post(client, URL, {"username": "halima"}, X_CSRFToken=token).status_code == 204
    assert_retired(shared_record)


def test_the_command(shared_record):
    call_command("retire_learner", "halima", stdout=io.StringIO())
    assert_retired(shared_record)


@pytest.mark.skipif(not find_spec("credentials.apps.records.rest_api"), reason="Credentials is a stand-in")
class TestPipeline:
    """The calls of a pipeline with the token of its service user, in the real Credentials."""

    @pytest.fixture(autouse=True)
    def _settings(self, settings):
        settings.USERNAME_REPLACEMENT_WORKER = WORKER
        # Credentials' migrations create it, and transactional tests empty the tables.
        Group.objects.get_or_create(name="Admins")

    def post(self, path, body, **claims):
        return post(Client(), path, body, Authorization=f"JWT {self.token(**claims)}")

    def token(self, **changes):
        """Return a token as the LMS makes it for a service user who is staff and a superuser there."""
        import jwt

        options, now = django_settings.JWT_AUTH, int(time.time())
        claims = {
            "iss": options["JWT_ISSUER"],
            "aud": options["JWT_AUDIENCE"],
            "iat": now,
            "exp": now + 60,
            "grant_type": "client-credentials",
            "preferred_username": WORKER,
            "email": "worker@open.example",
            "scopes": ["read", "write", "email", "profile"],
            "version": "1.2.0",
            "filters": [],
            "is_restricted": False,
            "administrator": True,
            "superuser": True,
            **changes,
        }
        return jwt.encode(claims, options["JWT_SECRET_KEY"], "HS256")

    def retire(self, username):
        return self.post(URL, {"username": username}).status_code

    def replace_username(self):
        mappings = [{"halima": RETIRED}]
        answer = self.post("/api/v2/replace_usernames/", {"username_mappings": mappings})
        assert answer.json() == {"successful_replacements": mappings, "failed_replacements": []}

    def test_before_the_username_is_replaced(self, shared_record, worker):
        assert self.retire("halima") == 204
        self.replace_username()
        assert [self.retire(username) for username in ("halima", RETIRED)] == [404, 204]
        assert_retired(shared_record)
        assert {row.user.username for row in UserCreditPathway.objects.all()} == {RETIRED}
        with pytest.raises(CommandError, match=r"There is no user halima\."):
            call_command("retire_learner", "halima")

    def test_after_the_username_is_replaced(self, shared_record, worker):
        self.replace_username()
        assert self.retire("halima") == 404
        assert public_pages(shared_record) == [200, 200, 200]
        assert api.deliver(UserCreditPathway.objects.get(status="failed")) == "sent"
        mail.outbox.clear()
        assert self.retire(RETIRED) == 204
        assert public_pages(shared_record) == [404, 404, 404]

    def test_staff_and_superusers_of_the_lms_need_the_permission(self, shared_record):
        """Credentials creates the user from the token, and takes over only that it is staff."""
        assert self.retire("halima") == 403
        worker = get_user_model().objects.get(username=WORKER)
        assert (worker.is_staff, worker.is_superuser) == (True, False)
        assert public_pages(shared_record) == [200, 200, 200]

    def test_tokens_of_restricted_applications_are_rejected(self, shared_record, worker):
        assert self.post(URL, {"username": "halima"}, is_restricted=True).status_code == 403
        token = self.token(is_restricted=True, preferred_username="halima")
        record = f"/records/api/v1/program_records/{shared_record.program.uuid}/"
        assert Client().get(record, headers={"Authorization": f"JWT {token}"}).status_code == 403
        token = self.token(preferred_username="halima")
        assert Client().get(record, headers={"Authorization": f"JWT {token}"}).status_code == 200

    @pytest.mark.urls("credentials.urls")
    def test_before_the_switch(self, shared_record, worker):
        assert self.retire("halima") == 204
