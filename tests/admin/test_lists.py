"""The lists and pages of the catalog, shared program records and credit requests."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse, reverse_lazy
from django.utils import timezone

from credit_pathways.admin import learner_rows
from credit_pathways.models import ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support.html import Page
from tests.support.links import absolute_url

pytestmark = pytest.mark.django_db

MODELS = ["program", "pathway", "programcertrecord", "usercreditpathway"]


def url(model, page, *args):
    return reverse(f"admin:credit_pathways_{model}_{page}", args=args)


LIST = reverse_lazy("admin:credit_pathways_usercreditpathway_changelist")
USER = f"admin:{get_user_model()._meta.label_lower.replace('.', '_')}_change"


def text_of(response):
    """Return the text of the page."""
    return Page(response.content.decode()).text


def cells(response, css_class):
    """Return the texts of the cells of a column of a list."""
    page = Page(response.content.decode())
    return [page.text_of(cell) for cell in page.find_all("td", css_class=css_class)]


def listed(client, **query):
    """Return the ids of the requests in the list, in the order of the list."""
    page = client.get(LIST, query)
    assert page.status_code == 200
    return [row.pk for row in page.context["cl"].result_list]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("query", ["", "?q=halima", "?q=Statistics", "?q=%00", "?o=1.2.3", "?o=99", "?_facets=True"])
def test_lists_and_searches(model, query, admin_client, request_row):
    assert admin_client.get(url(model, "changelist") + query).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_lists_require_permission(model, log_in_staff, request_row):
    assert log_in_staff().get(url(model, "changelist")).status_code == 403


@pytest.mark.parametrize("model", ["programcertrecord", "usercreditpathway"])
def test_other_permissions_do_not_include_the_view_permission(model, log_in_staff, request_row):
    client = log_in_staff(f"change_{model}", f"delete_{model}", "deliver_usercreditpathway")
    row = {"programcertrecord": ProgramCertRecord, "usercreditpathway": UserCreditPathway}[model].objects.get()
    for page in (url(model, "changelist"), url(model, "change", row.pk), f"{LIST}report/", f"{LIST}export/"):
        assert client.get(page).status_code == 403


@pytest.mark.parametrize("model", ["program", "pathway"])
def test_numbers_of_requests_require_permission(model, log_in_staff, request_row, program, pathway):
    row = {"program": program, "pathway": pathway}[model]
    for codenames, shown in (([f"view_{model}"], False), ([f"view_{model}", "view_usercreditpathway"], True)):
        client = log_in_staff(*codenames)
        for page in (url(model, "changelist"), url(model, "change", row.pk)):
            assert ("last 30 days" in client.get(page).content.decode()) == shown


@pytest.mark.parametrize("query", ["credit_requests=1", "shared_records=1", "status__regex=(", "title__contains=%00"])
@pytest.mark.parametrize("model", ["program", "pathway"])
def test_other_lookups_in_the_catalog_are_rejected(query, model, admin_client, request_row):
    assert admin_client.get(f"{url(model, 'changelist')}?{query}").status_code == 400
    assert admin_client.get(f"{url(model, 'changelist')}?status__exact=retired").context["cl"].result_count == 0


class TestCreditRequests:
    def test_columns(self, admin_client, request_row, pathway):
        old = factories.UserCreditPathwayFactory(user=request_row.user, program=None, pathway=pathway)
        page = admin_client.get(LIST).content.decode()
        for part in ("halima", "Master of Science", "Northfield University", "Statistics", "pending", "not recorded"):
            assert part in page
        assert page.index(f">{old.pk}<") < page.index(f">{request_row.pk}<")

    def test_a_page_says_what_became_of_the_email(self, staff, request_row, settings):
        settings.USE_THOUSAND_SEPARATOR = True
        sent = factories.UserCreditPathwayFactory(
            pk=1234567, status="sent", completed=True, attempts=2, sent_to="old@northfield.example",
            bounced_at=datetime(2026, 6, 15, 15, tzinfo=UTC), bounce_reason="5.1.1 smtp; 550 <b>no</b> such user",
        )  # fmt: skip
        page = staff.get(LIST)
        assert "1234567" in text_of(page)
        assert [text for text in cells(page, "field-bounced") if text] == ["June 15, 2026"]
        page = text_of(staff.get(url("usercreditpathway", "change", sent.pk)))
        for part in (
            "Request number: 1234567", "Delivery attempts: 2", "Sent to: old@northfield.example",
            "Bounced at: June 15, 2026, 3 p.m.", "Completed when requested:",
            "Why it bounced: The institution's email address does not exist. (5.1.1 smtp; 550 <b>no</b> such user)",
        ):  # fmt: skip
            assert part in page
        type(request_row).objects.filter(pk=request_row.pk).update(failure_reason="The learner was retired")
        page = text_of(staff.get(url("usercreditpathway", "change", request_row.pk)))
        assert "Why it has not been sent: The learner was retired" in page
        assert "Bounced at: - Why it bounced: -" in page

    def test_a_bounce_without_a_reason(self, staff):
        row = factories.UserCreditPathwayFactory(status="sent", bounced_at=timezone.now())
        page = text_of(staff.get(url("usercreditpathway", "change", row.pk)))
        assert "Why it bounced: No clear reason was given." in page
        assert "()" not in page

    def test_the_day_of_a_bounce_is_in_the_current_time_zone(self, staff, settings):
        settings.TIME_ZONE = "Pacific/Auckland"
        factories.UserCreditPathwayFactory(status="sent", bounced_at=datetime(2026, 6, 15, 12, tzinfo=UTC))
        assert cells(staff.get(LIST), "field-bounced") == ["June 16, 2026"]

    def test_links(self, admin_client, request_row, learner, program, pathway):
        shared = ProgramCertRecord.objects.get()
        for page in (LIST, url("usercreditpathway", "change", request_row.pk)):
            content = admin_client.get(page).content.decode()
            for row, model in ((program, "program"), (pathway, "pathway")):
                assert f'href="{url(model, "change", row.pk)}"' in content
            assert f'href="{reverse(USER, args=[learner.pk])}"' in content
        assert absolute_url("public_record", shared.uuid) in content

    def test_the_public_link_is_for_this_learner_and_program(self, admin_client, request_row, program):
        ProgramCertRecord.objects.all().delete()
        others = [
            factories.ProgramCertRecordFactory(program=program),
            factories.ProgramCertRecordFactory(user=request_row.user),
        ]
        page = admin_client.get(url("usercreditpathway", "change", request_row.pk)).content.decode()
        assert "not shared" in page
        assert not [other for other in others if other.uuid.hex in page]

    def test_the_public_link_requires_permission(self, staff, request_row):
        page = staff.get(url("usercreditpathway", "change", request_row.pk)).content.decode()
        assert "Statistics" in page
        assert "shared/" not in page

    def test_no_public_link_without_a_shared_record(self, admin_client, request_row, pathway):
        ProgramCertRecord.objects.all().delete()
        old = factories.UserCreditPathwayFactory(program=None, pathway=pathway)
        for row in (request_row, old):
            assert "not shared" in admin_client.get(url("usercreditpathway", "change", row.pk)).content.decode()

    @pytest.mark.parametrize(
        ("word", "found"),
        [("halima", 1), pytest.param(" halima@home.example ", 1, marks=pytest.mark.usual_users),
          pytest.param("Halima@HOME.example", 1, marks=pytest.mark.usual_users), ("halim", 0), ("dario", 0),
          ("dario@home.example", 0)],
    )  # fmt: skip
    def test_search_by_username_or_email_address(self, word, found, admin_client, request_row):
        assert len(listed(admin_client, q=word)) == found

    def test_search_by_number(self, admin_client, request_row):
        other = factories.UserCreditPathwayFactory(user__username=str(request_row.pk))
        factories.UserCreditPathwayFactory()
        assert set(listed(admin_client, q=str(request_row.pk))) == {request_row.pk, other.pk}
        for nothing in ("9" * 30, "²", "-1", "1.5", "0"):
            assert listed(admin_client, q=nothing) == []

    def test_filters(self, admin_client, request_row, program, pathway):
        other = factories.UserCreditPathwayFactory(status="failed")
        old = factories.UserCreditPathwayFactory(pathway=pathway, program=None, status="sent")
        assert listed(admin_client, status="failed") == [other.pk]
        assert listed(admin_client, institution="Northfield University") == [old.pk, request_row.pk]
        assert listed(admin_client, pathway=other.pathway_id) == [other.pk]
        assert listed(admin_client, program=program.pk) == [request_row.pk]
        assert listed(admin_client, pathway=pathway.pk, status="sent") == [old.pk]
        assert listed(admin_client, institution="Northfield University", pathway=other.pathway_id) == []
        assert listed(admin_client, q="halima", status="failed") == []
        assert listed(admin_client, program=10**17) == []

    def test_filter_by_bounces(self, admin_client, request_row):
        sent, back = factories.UserCreditPathwayFactory.create_batch(2, user=request_row.user, status="sent")
        factories.UserCreditPathwayFactory(status="sent", bounced_at=timezone.now())
        UserCreditPathway.objects.filter(pk=back.pk).update(bounced_at=timezone.now())
        assert listed(admin_client, q="halima", bounced="yes") == [back.pk]
        assert listed(admin_client, q="halima", bounced="no") == [sent.pk, request_row.pk]
        assert listed(admin_client, bounced="no", status="sent") == [sent.pk]
        assert len(listed(admin_client, bounced="")) == 4

    def test_the_export_has_the_filter_by_bounces(self, admin_client, request_row):
        row = factories.UserCreditPathwayFactory(status="sent", bounced_at=timezone.now())
        page = Page(admin_client.get(LIST, {"bounced": "yes"}).content.decode())
        [link] = [link for link in page.hrefs if link and "/export/" in link]
        assert link == f"{LIST}export/?bounced=yes"
        [_headings, line] = admin_client.post(link, {"format": "0"}).content.decode().splitlines()
        assert line.split(",")[0] == str(row.pk)

    def test_filter_by_days(self, admin_client, request_row, settings):
        settings.TIME_ZONE = "America/New_York"
        UserCreditPathway.objects.update(created=datetime(2026, 3, 2, 4, 59, tzinfo=UTC))  # 1 March there
        assert listed(admin_client, since="2026-03-01", until="2026-03-01") == [request_row.pk]
        assert listed(admin_client, since="2026-03-02") == []
        assert listed(admin_client, until="2026-02-28") == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [("status", "lost"), ("bounced", "maybe"), ("institution", "Nowhere"), ("pathway", "x"), ("pathway", 10**30),
         ("program", "x"), ("program", 10**30), ("since", "yesterday"), ("until", "9999-12-31"),
         ("since", "0001-01-01")],
    )  # fmt: skip
    def test_an_invalid_filter_matches_nothing_and_shows_an_error(self, name, value, admin_client, request_row):
        page = admin_client.get(LIST, {name: value})
        assert list(page.context["cl"].result_list) == []
        assert "errorlist" in page.content.decode()

    def test_institutions_that_differ_in_case(self, admin_client):
        """MySQL sorts them together."""
        pathways = [
            factories.PathwayFactory(org_name=name, name=n)
            for name, n in (("Alpha", "a"), ("alpha", "b"), ("Alpha", "c"))
        ]
        rows = [factories.UserCreditPathwayFactory(pathway=pathway).pk for pathway in pathways]
        assert listed(admin_client, institution="Alpha") == [rows[2], rows[0]]
        assert listed(admin_client, institution="alpha") == [rows[1]]

    @pytest.mark.parametrize("key", ["0", "00"])
    def test_program_0_matches_nothing(self, key, admin_client, request_row):
        assert listed(admin_client, program=key) == []

    def test_without_the_permission_to_view_programs_the_program_is_a_hidden_field(self, staff, request_row, program):
        page = Page(staff.get(LIST, {"program": program.pk}).content.decode())
        [field] = [attrs for tag, attrs in page.elements if attrs.get("id") == "id_program"]
        assert (field["name"], field["type"], field["value"]) == ("program", "hidden", str(program.pk))

    @pytest.mark.parametrize(
        "query",
        ["nosuch=1", "id=abc", "modified__gte=2026-01-01", "created__year=99999999", "status__regex=(", "id__regex=(",
         "user__password__startswith=x", "user__id__in=x", "program__isnull=True", "status__contains=%00"],
    )  # fmt: skip
    def test_other_lookups_are_rejected(self, query, admin_client, request_row):
        for path in (LIST, f"{LIST}export/"):
            assert admin_client.get(f"{path}?{query}").status_code == 400

    @pytest.mark.parametrize("name", ["q", "program", "pathway"])
    def test_very_long_numbers(self, name, admin_client, request_row):
        assert listed(admin_client, **{name: "9" * 5000}) == []

    def test_texts_are_escaped(self, admin_client, pathway):
        evil = "<script>alert(1)</script>"
        program = factories.ProgramFactory(title=evil)
        factories.UserCreditPathwayFactory(program=program, pathway=factories.PathwayFactory(name=evil, org_name=evil))
        for query in ({}, {"q": evil}, {"status": evil}, {"program": evil}, {"institution": evil}):
            assert "<script>alert" not in admin_client.get(LIST, query).content.decode()

    def test_the_list_loads_the_autocomplete_script(self, admin_client):
        assert "admin/js/autocomplete.js" in admin_client.get(LIST).content.decode()

    def test_the_form_keeps_search_and_order(self, admin_client, request_row):
        page = admin_client.get(LIST, {"q": "halima", "o": "7", "p": "1", "status": "pending"}).content.decode()
        assert '<input type="hidden" name="q" value="halima">' in page
        assert '<input type="hidden" name="o" value="7">' in page
        assert '<input type="hidden" name="p"' not in page
        assert '<option value="pending" selected>' in page

    def test_the_list_can_be_sorted_by_date_only(self, admin_client, program, pathway):
        rows = factories.UserCreditPathwayFactory.create_batch(3, program=program, pathway=pathway)
        ids = [row.pk for row in rows]
        now = timezone.now()
        UserCreditPathway.objects.filter(pk=ids[0]).update(created=now + timedelta(days=1))
        newest_first = [ids[0], ids[2], ids[1]]
        for order in ("", "1", "2", "4", "6", "-7"):
            assert listed(admin_client, o=order) == newest_first
        assert listed(admin_client, o="7") == newest_first[::-1]

    def test_the_count_is_bounded(self, admin_client, program, pathway, monkeypatch):
        monkeypatch.setattr(learner_rows, "MAX_LISTED_ROWS", 3)
        factories.UserCreditPathwayFactory.create_batch(5, program=program, pathway=pathway)
        page = admin_client.get(LIST)
        assert page.context["cl"].result_count == 3

    def test_a_note_says_where_the_list_ends(self, admin_client, program, pathway, monkeypatch):
        monkeypatch.setattr("credit_pathways.admin.credit_requests.MAX_LISTED_ROWS", 2)
        factories.UserCreditPathwayFactory(program=program, pathway=pathway)
        assert "The list ends after" not in text_of(admin_client.get(LIST))
        factories.UserCreditPathwayFactory(program=program, pathway=pathway)
        assert "The list ends after 2 requests. Filter it to see others" in text_of(admin_client.get(LIST))

    def test_number_of_queries(self, staff, program, pathway, django_assert_max_num_queries):
        """The number does not depend on the rows. It includes the queries for the permissions of the user."""
        factories.UserCreditPathwayFactory.create_batch(50, program=program, pathway=pathway)
        query = {"status": "pending", "institution": pathway.org_name, "pathway": pathway.pk, "program": program.pk}
        for some in ({}, {"program": program.pk}, query):
            with django_assert_max_num_queries(10):
                assert len(listed(staff, **some)) == 50

    def test_requests_cannot_be_deleted_in_bulk(self, admin_client, request_row):
        data = {"action": "delete_selected", "_selected_action": [request_row.pk], "post": "yes"}
        admin_client.post(LIST, data)
        assert UserCreditPathway.objects.exists()


@pytest.mark.parametrize("model", ["programcertrecord", "usercreditpathway"])
def test_learner_rows_are_read_only(model, admin_client, request_row):
    row = {"programcertrecord": ProgramCertRecord, "usercreditpathway": UserCreditPathway}[model].objects.get()
    assert admin_client.get(url(model, "change", row.pk)).status_code == 200
    assert admin_client.post(url(model, "change", row.pk), {"status": "sent"}).status_code == 403
    assert admin_client.get(url(model, "add")).status_code == 403


class TestSharedRecords:
    def test_search(self, admin_client, request_row):
        shared = ProgramCertRecord.objects.get()
        factories.ProgramCertRecordFactory()
        for word in ("halima", str(shared.uuid), shared.uuid.hex):
            page = admin_client.get(url("programcertrecord", "changelist"), {"q": word})
            assert [row.pk for row in page.context["cl"].result_list] == [shared.pk]

    def test_public_link(self, admin_client, request_row):
        shared = ProgramCertRecord.objects.get()
        page = admin_client.get(url("programcertrecord", "change", shared.pk)).content.decode()
        assert f'href="{absolute_url("public_record", shared.uuid)}"' in page


class TestCatalog:
    @pytest.mark.parametrize("model", ["program", "pathway"])
    def test_catalog_can_be_edited(self, model, admin_client, program, pathway):
        row = {"program": program, "pathway": pathway}[model]
        assert admin_client.get(url(model, "change", row.pk)).status_code == 200
        assert admin_client.get(url(model, "add")).status_code == 200

    @pytest.mark.parametrize(
        ("values", "problem"),
        [({"status": "retired"}, "It is not published."), ({"pathway_type": "industry"}, "It is not of type credit."),
         ({"email": ""}, "It has no email address."), ({"programs": []}, "It is linked to no program of its site.")],
    )  # fmt: skip
    def test_why_a_pathway_is_not_requestable(self, values, problem, admin_client, program):
        pathway = factories.PathwayFactory(**{"programs": [program], **values})
        for page in (url("pathway", "changelist"), url("pathway", "change", pathway.pk)):
            assert f"No. {problem}" in text_of(admin_client.get(page))

    def test_pathway_with_a_program_of_another_site(self, admin_client):
        factories.PathwayFactory(programs=[factories.ProgramFactory(site=factories.SiteFactory())])
        assert "No. It is linked to no program of its site." in text_of(admin_client.get(url("pathway", "changelist")))

    def test_program_with_a_pathway_of_another_site(self, admin_client, program):
        other = factories.SiteFactory()
        factories.PathwayFactory(site=other, programs=[program, factories.ProgramFactory(site=other)])
        assert "No. It is of another site." in text_of(admin_client.get(url("program", "change", program.pk)))

    def test_number_of_programs_of_a_pathway(self, admin_client, program, pathway):
        pathway.programs.add(factories.ProgramFactory())
        factories.PathwayFactory()
        page = admin_client.get(url("pathway", "changelist"))
        assert [row.program_count for row in page.context["cl"].result_list] == [2, 0]

    def test_all_problems_of_a_pathway_are_listed(self, admin_client):
        factories.PathwayFactory(status="retired", email="")
        page = text_of(admin_client.get(url("pathway", "changelist")))
        assert "No. It is not published. It has no email address." in page

    def test_pathways_of_a_program(self, admin_client, program, pathway):
        factories.PathwayFactory(name="Old one", status="retired", programs=[program])
        page = text_of(admin_client.get(url("program", "change", program.pk)))
        assert "Master of Science Yes." in page
        assert "Old one No. It is not published." in page
        other = factories.ProgramFactory()
        assert "link pathways to it" in text_of(admin_client.get(url("program", "change", other.pk)))

    @pytest.mark.parametrize("model", ["program", "pathway"])
    def test_requests_of_the_last_30_days(self, model, admin_client, program, pathway):
        rows = factories.UserCreditPathwayFactory.create_batch(4, program=program, pathway=pathway)
        factories.UserCreditPathwayFactory()
        UserCreditPathway.objects.filter(pk=rows[0].pk).update(created=timezone.now() - timedelta(days=31))
        row = {"program": program, "pathway": pathway}[model]
        since = (timezone.now() - timedelta(days=30)).date()
        link = f'<a href="{LIST}?{model}={row.pk}&amp;since={since}">3</a>'
        for page in (url(model, "changelist"), url(model, "change", row.pk)):
            assert link in admin_client.get(page).content.decode()

    @pytest.mark.parametrize("model", ["program", "pathway"])
    def test_number_of_queries(self, model, admin_client, django_assert_max_num_queries):
        factories.UserCreditPathwayFactory.create_batch(20)
        with django_assert_max_num_queries(10):
            admin_client.get(url(model, "changelist"))
