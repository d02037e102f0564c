"""The list of credit requests, as JSON."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse_lazy

from credit_pathways.models import UserCreditPathway
from tests import factories

pytestmark = pytest.mark.django_db

URL = reverse_lazy("credit_pathways:api-credit-requests-list")


@pytest.fixture
def staff(client):
    """A browser in which a member of the staff is logged in, who may do anything."""
    client.force_login(factories.UserFactory(username="staff", is_staff=True, is_superuser=True))
    return client


class TestCreditRequests:
    @pytest.fixture
    def requests(self, learner, program, pathway):
        """One of the learner's, one of another's, one from before programs were recorded."""
        own = factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway, status="sent")
        old = factories.UserCreditPathwayFactory(user=learner, program=None, pathway=pathway)
        other = factories.UserCreditPathwayFactory()
        for row, year in ((own, 2026), (old, 2021), (other, 2025)):
            UserCreditPathway.objects.filter(pk=row.pk).update(created=datetime(year, 1, 1, tzinfo=UTC))
        return own, old, other

    def ids(self, client, **query):
        answer = client.get(URL, query)
        assert answer.status_code == 200
        return [row["id"] for row in answer.json()["results"]]

    def test_a_row(self, client, requests, program, pathway):
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
            "created": "2026-01-01T00:00:00Z",
            "modified": rows[0]["modified"],
        }
        assert (rows[1]["program"], rows[1]["program_uuid"]) == (None, None)

    def test_a_learner_sees_the_own_ones(self, client, requests):
        own, old, other = requests
        assert self.ids(client) == [own.pk, old.pk]
        assert self.ids(client, user=other.user.username) == []

    def test_staff_who_may_view_them_see_all(self, client, requests):
        user = factories.UserFactory(is_staff=True)
        client.force_login(user)
        assert self.ids(client) == []
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label="credit_pathways", codename="view_usercreditpathway")
        )
        assert len(self.ids(client)) == 3

    def test_the_permission_without_staff_is_not_enough(self, client, requests, learner):
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

    def test_pages_of_rows_of_one_moment(self, staff, program, pathway, learner):
        """Imported rows may have the same time."""
        factories.UserCreditPathwayFactory.create_batch(150, user=learner, program=program, pathway=pathway)
        UserCreditPathway.objects.update(created=datetime(2026, 1, 1, tzinfo=UTC))
        first = staff.get(URL).json()
        second = staff.get(first["next"]).json()
        ids = [row["id"] for row in first["results"] + second["results"]]
        assert ids == sorted(set(ids), reverse=True)
        assert (len(ids), second["next"]) == (150, None)

    def test_statements(self, client, program, pathway, django_assert_max_num_queries):
        user = factories.UserFactory(is_staff=True)
        user.user_permissions.add(
            Permission.objects.get(codename="view_usercreditpathway", content_type__app_label="credit_pathways")
        )
        client.force_login(user)
        factories.UserCreditPathwayFactory.create_batch(20, program=program)
        with django_assert_max_num_queries(10):
            assert len(self.ids(client, program=program.uuid, status="pending")) == 20

    def test_it_is_for_reading(self, staff, requests):
        for method in ("post", "put", "patch", "delete"):
            assert getattr(staff, method)(URL).status_code == 405

    def test_strangers_are_refused(self, client, requests):
        client.logout()
        assert client.get(URL).status_code == 403
