"""The list of credit requests, as JSON."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse_lazy

from credit_pathways.models import UserCreditPathway
from tests import factories

pytestmark = pytest.mark.django_db

URL = reverse_lazy("credit_pathways:api-credit-requests-list")


class TestCreditRequests:
    @pytest.fixture
    def requests(self, learner, program, pathway):
        """One of the learner's, one of theirs without a program, and one of another learner's."""
        own = factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway, status="sent")
        old = factories.UserCreditPathwayFactory(user=learner, program=None, pathway=pathway)
        other = factories.UserCreditPathwayFactory()
        for row, year in ((own, 2026), (old, 2021), (other, 2025)):
            UserCreditPathway.objects.filter(pk=row.pk).update(created=datetime(year, 1, 1, tzinfo=UTC))
        return own, old, other

    def ids(self, client, **query):
        response = client.get(URL, query)
        assert response.status_code == 200
        return [row["id"] for row in response.json()["results"]]

    def test_a_row(self, client, requests, program, pathway):
        UserCreditPathway.objects.filter(pk=requests[0].pk).update(
            completed=False,
            sent_to="registrar@northfield.example",
            attempts=2,
            bounced_at=datetime(2026, 1, 2, tzinfo=UTC),
            bounce_reason="550 5.1.1 User unknown",
        )
        rows = client.get(URL).json()["results"]
        assert rows[0] == {
            "id": requests[0].pk,
            "username": "halima",
            "pathway_id": pathway.pk,
            "pathway": "Master of Science",
            "institution": "Northfield University",
            "program_uuid": str(program.uuid),
            "program": "Statistics",
            "status": "sent",
            "completed": False,
            "sent_to": "registrar@northfield.example",
            "attempts": 2,
            "failure_reason": "",
            "bounced_at": "2026-01-02T00:00:00Z",
            "bounce_reason": "550 5.1.1 User unknown",
            "created": "2026-01-01T00:00:00Z",
            "modified": rows[0]["modified"],
        }
        assert (rows[1]["program"], rows[1]["program_uuid"]) == (None, None)
        assert (rows[1]["completed"], rows[1]["bounced_at"]) == (None, None)

    def test_learners_see_their_own(self, client, requests):
        own, old, other = requests
        assert self.ids(client) == [own.pk, old.pk]
        assert self.ids(client, user=other.user.username) == []

    def test_staff_with_the_permission_see_all(self, log_in_staff, requests):
        assert self.ids(log_in_staff()) == []
        assert len(self.ids(log_in_staff("view_usercreditpathway"))) == 3

    def test_the_permission_is_not_enough_without_staff_status(self, client, requests, learner):
        learner.user_permissions.add(
            Permission.objects.get(content_type__app_label="credit_pathways", codename="view_usercreditpathway")
        )
        assert len(self.ids(client)) == 2

    def test_filters(self, staff, requests, program, pathway):
        own, old, other = requests
        assert self.ids(staff, program=program.uuid) == [own.pk]
        assert self.ids(staff, program=program.uuid.hex) == [own.pk]
        assert self.ids(staff, pathway=pathway.pk) == [own.pk, old.pk]
        assert self.ids(staff, status="sent") == [own.pk]
        assert self.ids(staff, user=other.user.username) == [other.pk]
        assert self.ids(staff, created_after="2025-01-01T00:00:00Z") == [own.pk, other.pk]
        assert self.ids(staff, created_before="2025-01-01T00:00:00Z") == [old.pk]

    def test_pages(self, staff, program, pathway, learner):
        factories.UserCreditPathwayFactory.create_batch(101, user=learner, program=program, pathway=pathway)
        first = staff.get(URL).json()
        second = staff.get(first["next"]).json()
        ids = [row["id"] for row in first["results"] + second["results"]]
        assert (len(first["results"]), len(ids), second["next"]) == (100, 101, None)
        assert ids == sorted(ids, reverse=True)

    def test_pages_of_rows_with_equal_timestamps(self, staff, program, pathway, learner):
        """Imported rows may share a timestamp."""
        factories.UserCreditPathwayFactory.create_batch(150, user=learner, program=program, pathway=pathway)
        UserCreditPathway.objects.update(created=datetime(2026, 1, 1, tzinfo=UTC))
        first = staff.get(URL).json()
        second = staff.get(first["next"]).json()
        ids = [row["id"] for row in first["results"] + second["results"]]
        assert ids == sorted(set(ids), reverse=True)
        assert (len(ids), second["next"]) == (150, None)

    def test_statements(self, staff, program, django_assert_max_num_queries):
        factories.UserCreditPathwayFactory.create_batch(20, program=program)
        with django_assert_max_num_queries(10):
            assert len(self.ids(staff, program=program.uuid, status="pending")) == 20

    def test_is_read_only(self, staff, requests):
        for method in ("post", "put", "patch", "delete"):
            assert getattr(staff, method)(URL).status_code == 405

    def test_anonymous_users_are_refused(self, client, requests):
        client.logout()
        assert client.get(URL).status_code == 403
