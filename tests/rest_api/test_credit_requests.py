"""The list of credit requests, as JSON."""

from base64 import b64encode
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse_lazy

from credit_pathways.models import UserCreditPathway
from credit_pathways.rest_api.pagination import CreditRequestPagination
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


class TestPages:
    """Rows with the same time, as a bulk import creates them, and rows with different ones."""

    @pytest.fixture
    def ids(self, learner, program, pathway, monkeypatch):
        """The ids of 12 rows, newest first, of which ten share a time; pages have three rows."""
        monkeypatch.setattr(CreditRequestPagination, "page_size", 3)
        rows = factories.UserCreditPathwayFactory.create_batch(12, user=learner, program=program, pathway=pathway)
        for row in rows[1:-1]:
            UserCreditPathway.objects.filter(pk=row.pk).update(created=datetime(2026, 1, 1, tzinfo=UTC))
        UserCreditPathway.objects.filter(pk=rows[-1].pk).update(created=datetime(2025, 1, 1, tzinfo=UTC))
        return [rows[0].pk, *(row.pk for row in reversed(rows[1:-1])), rows[-1].pk]

    def follow(self, client, url, name):
        """Return the pages' ids, and the last page's data."""
        pages = []
        while url:
            data = client.get(url).json()
            pages.append([row["id"] for row in data["results"]])
            url, last = data[name], data
        return pages, last

    def test_each_row_is_listed_once_forwards_and_backwards(self, client, ids):
        pages, last = self.follow(client, URL, "next")
        assert pages == [ids[:3], ids[3:6], ids[6:9], ids[9:]]
        back, first = self.follow(client, last["previous"], "previous")
        assert back == [ids[6:9], ids[3:6], ids[:3]]
        assert first["next"]
        again, _last = self.follow(client, first["next"], "next")
        assert again == pages[1:]

    def test_rows_that_are_deleted_meanwhile(self, client, ids):
        second = client.get(URL).json()["next"]
        UserCreditPathway.objects.filter(pk__in=ids[2:]).delete()
        empty = client.get(second).json()
        assert (empty["results"], empty["next"]) == ([], None)
        assert self.follow(client, empty["previous"], "previous")[0] == [ids[:2]]
        UserCreditPathway.objects.all().delete()
        nothing = client.get(empty["previous"]).json()
        assert (nothing["results"], nothing["next"], nothing["previous"]) == ([], None, None)

    @pytest.mark.parametrize("position", ["2026-01-01", "2026-01-01T00:00:00+00:00", "now 5", "2026-01-01T00:00:00Z x"])
    def test_a_forged_cursor_is_not_found(self, client, ids, position):
        cursor = b64encode(urlencode({"p": position}).encode()).decode()
        assert client.get(URL, {"cursor": cursor}).status_code == 404

    def test_more_rows_with_the_same_time_than_a_cursor_of_rest_framework_counts(self, client, learner, pathway):
        now = datetime(2026, 1, 1, tzinfo=UTC)
        UserCreditPathway.objects.bulk_create(
            UserCreditPathway(user=learner, pathway=pathway, created=now) for _number in range(1350)
        )
        pages, _last = self.follow(client, URL, "next")
        ids = [pk for page in pages for pk in page]
        assert (len(pages), len(ids), len(set(ids))) == (14, 1350, 1350)


class TestFilters:
    def test_by_institution_and_user(self, log_in_staff, pathway, learner):
        row = factories.UserCreditPathwayFactory(pathway=pathway, user=learner)
        factories.UserCreditPathwayFactory()
        staff = log_in_staff("view_usercreditpathway")

        def found(**query):
            return [item["id"] for item in staff.get(URL, query).json()["results"]]

        assert found(institution="Northfield University") == found(user="halima") == [row.pk]
        # On every database, whether or not it ignores case.
        assert found(institution="northfield university") == found(user="Halima") == []
        assert found(institution="  ") == found(user="  ") == []

    @pytest.mark.parametrize("text", ["🚀", "漢", "\0", "ÿ", "' OR 1=1"])
    @pytest.mark.parametrize("name", ["institution", "user"])
    def test_any_text(self, log_in_staff, pathway, learner, name, text):
        factories.UserCreditPathwayFactory(pathway=pathway, user=learner)
        response = log_in_staff("view_usercreditpathway").get(URL, {name: text})
        assert response.status_code in {200, 400}
        assert not response.json().get("results")
