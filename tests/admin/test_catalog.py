"""What a synchronization created is read-only in the admin, until staff choose *Manage here*."""

import pytest
from django.contrib import admin
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.sites.models import Site
from django.db import DataError
from django.test import Client
from django.urls import include, path, reverse

from credit_pathways.admin import PathwayAdmin, ProgramAdmin
from credit_pathways.catalog.sync import synchronize
from credit_pathways.models import Pathway, Program
from tests import factories
from tests.support.catalog_items import pathway_item
from tests.support.html import parse

pytestmark = pytest.mark.django_db

#: An admin with another name, next to the default one.
staff_site = admin.AdminSite(name="staff")
staff_site.register(Program, ProgramAdmin)
staff_site.register(Pathway, PathwayAdmin)

urlpatterns = [path("staff/", staff_site.urls), path("", include("tests.urls"))]

FACTORIES = {"program": factories.ProgramFactory, "pathway": factories.PathwayFactory}


@pytest.fixture(params=FACTORIES)
def model(request):
    return request.param


@pytest.fixture
def synced(model):
    """A row that a synchronization created."""
    return FACTORIES[model](is_synced=True)


def url(row, page, site="admin"):
    args = [] if page == "changelist" else [row.pk]
    return reverse(f"admin:credit_pathways_{row._meta.model_name}_{page}", args=args, current_app=site)


def choose_in_list(client, *rows):
    data = {"action": "manage_here", "_selected_action": [row.pk for row in rows]}
    return client.post(url(rows[0], "changelist"), data, follow=True)


def press_on_page(client, row):
    return client.post(url(row, "manage_here"), follow=True)


def is_synced(row):
    return type(row).objects.get(pk=row.pk).is_synced


def values(row):
    [row] = type(row).objects.filter(pk=row.pk).values()
    return {name: value for name, value in row.items() if name not in ("is_synced", "modified")}


def field_names(page):
    elements = [page.attributes(element) for tag in ("input", "select", "textarea") for element in page.find_all(tag)]
    return {attributes.get("name") for attributes in elements}


def manage_here_buttons(page):
    inputs = [page.attributes(element) for element in page.find_all("input")]
    return [attributes["formaction"] for attributes in inputs if attributes.get("value") == "Manage here"]


def csrf_token(page):
    inputs = [page.attributes(element) for element in page.find_all("input")]
    return next(attributes["value"] for attributes in inputs if attributes.get("name") == "csrfmiddlewaretoken")


class TestSyncedRows:
    def test_the_page_is_read_only_and_names_the_place_to_edit(self, admin_client, synced):
        page = parse(admin_client.get(url(synced, "change")))
        [note, _warning] = [page.text_of(element) for element in page.find_all("p", css_class="help")]
        assert "Edit it in the source." in note
        assert str(synced) in page.text
        assert not field_names(page) & {"uuid", "status", "_save", "_continue", "_addanother"}
        assert url(synced, "delete") not in page.hrefs
        assert manage_here_buttons(page) == [url(synced, "manage_here")]

    def test_the_programs_of_a_pathway_are_readable(self, admin_client, program):
        pathway = factories.PathwayFactory(is_synced=True, programs=[program])
        assert "Statistics" in parse(admin_client.get(url(pathway, "change"))).text

    def test_they_cannot_be_changed(self, admin_client, synced):
        before = values(synced)
        assert admin_client.post(url(synced, "change"), {**before, "status": "retired"}).status_code == 403
        assert values(synced) == before

    def test_they_cannot_be_deleted(self, admin_client, synced):
        selected = {"action": "delete_selected", "_selected_action": [synced.pk], "post": "yes"}
        assert admin_client.post(url(synced, "changelist"), selected).status_code == 403
        assert admin_client.post(url(synced, "delete"), {"post": "yes"}).status_code == 403
        assert is_synced(synced)

    def test_the_list_can_be_filtered(self, admin_client, model, synced):
        own = FACTORIES[model]()
        for query, row in (("is_synced__exact=1", synced), ("is_synced__exact=0", own)):
            page = admin_client.get(f"{url(own, 'changelist')}?{query}")
            assert [listed.pk for listed in page.context["cl"].result_list] == [row.pk]
        assert admin_client.get(f"{url(own, 'changelist')}?is_synced__regex=1").status_code == 400


class TestRowsManagedHere:
    def test_they_can_be_deleted(self, admin_client, model):
        row = FACTORIES[model]()
        assert url(row, "delete") in parse(admin_client.get(url(row, "change"))).hrefs
        admin_client.post(url(row, "delete"), {"post": "yes"})
        assert not type(row).objects.exists()

    def test_the_page_has_no_note(self, admin_client, model):
        page = parse(admin_client.get(url(FACTORIES[model](), "change")))
        assert "sync_catalog" not in page.text
        assert manage_here_buttons(page) == []
        assert "_save" in field_names(page)

    @pytest.mark.parametrize(
        ("address", "saved"),
        [("https://northfield.example/next", True), ("", True), ("javascript:alert(1)", False), ("/next", False)],
    )
    def test_next_steps_can_be_edited(self, address, saved, admin_client, program):
        pathway = factories.PathwayFactory()
        data = {**values(pathway), "site": pathway.site_id, "programs": [program.pk], "description": "Apply by June."}
        response = admin_client.post(url(pathway, "change"), {**data, "destination_url": address})
        assert response.status_code == (302 if saved else 200)
        pathway.refresh_from_db()
        steps = (pathway.description, pathway.destination_url, pathway.programs.count())
        assert steps == (("Apply by June.", address, 1) if saved else ("", "", 0))


class TestManageHere:
    @pytest.mark.parametrize("manage_here", [choose_in_list, press_on_page])
    def test_it_clears_the_flag_and_is_logged(self, manage_here, admin_client, admin_user, model, synced):
        other = FACTORIES[model](is_synced=True, uuid=synced.uuid, site=factories.SiteFactory())
        before = values(synced)
        page = parse(manage_here(admin_client, synced))
        assert "1 item is now managed here. You can edit it, and synchronizations no longer update" in page.text
        assert (is_synced(synced), is_synced(other)) == (False, True)
        assert values(synced) == before
        [entry] = LogEntry.objects.all()
        assert (entry.user, entry.get_edited_object(), entry.get_change_message()) == (
            admin_user, synced, "Manage here",
        )  # fmt: skip
        assert type(synced).objects.get(pk=synced.pk).modified > synced.modified

    def test_the_button_returns_to_the_page_that_is_now_a_form(self, admin_client, synced):
        response = press_on_page(admin_client, synced)
        assert response.redirect_chain == [(url(synced, "change"), 302)]
        assert "_save" in field_names(parse(response))

    def test_rows_that_are_managed_here_already(self, admin_client, model, synced):
        own = FACTORIES[model]()
        assert "1 item is now managed here" in parse(choose_in_list(admin_client, own, synced)).text
        assert "Nothing was changed" in parse(choose_in_list(admin_client, own, synced)).text
        assert "Nothing was changed" in parse(press_on_page(admin_client, own)).text
        assert [entry.get_edited_object() for entry in LogEntry.objects.all()] == [synced]

    def test_several_rows(self, admin_client, model, synced):
        page = parse(choose_in_list(admin_client, synced, FACTORIES[model](is_synced=True)))
        assert "2 items are now managed here. You can edit them" in page.text
        assert LogEntry.objects.count() == 2

    def test_a_get_request_changes_nothing(self, admin_client, synced):
        assert admin_client.get(url(synced, "manage_here")).status_code == 405
        admin_client.get(url(synced, "changelist"), {"action": "manage_here", "_selected_action": synced.pk})
        assert is_synced(synced)

    def test_it_needs_a_csrf_token(self, admin_user, synced):
        client = Client(enforce_csrf_checks=True)
        client.force_login(admin_user)
        assert client.post(url(synced, "manage_here")).status_code == 403
        assert is_synced(synced)
        page = parse(client.get(url(synced, "change")))
        [button] = manage_here_buttons(page)
        token = csrf_token(page)
        assert client.post(button, {"csrfmiddlewaretoken": token}).status_code == 302
        assert not is_synced(synced)

    def test_it_requires_the_change_permission(self, log_in_staff, model, synced):
        client = log_in_staff(f"view_{model}", f"add_{model}", f"delete_{model}")
        assert "Edit it in the source." in parse(client.get(url(synced, "change"))).text
        assert manage_here_buttons(parse(client.get(url(synced, "change")))) == []
        assert "Manage here" not in client.get(url(synced, "changelist")).content.decode()
        assert press_on_page(client, synced).status_code == 403
        choose_in_list(client, synced)
        assert is_synced(synced)
        assert not LogEntry.objects.exists()

    def test_the_change_permission_is_enough(self, log_in_staff, model, synced):
        client = log_in_staff(f"change_{model}")
        press_on_page(client, synced)
        assert not is_synced(synced)

    def test_a_visitor_is_sent_to_the_login(self, synced):
        assert "login" in Client().post(url(synced, "manage_here"))["Location"]
        assert is_synced(synced)

    @pytest.mark.parametrize("pk", [0, 10**30])
    def test_a_row_that_does_not_exist(self, pk, admin_client, model):
        page = admin_client.post(reverse(f"admin:credit_pathways_{model}_manage_here", args=[pk]), follow=True)
        assert "doesn’t exist" in parse(page).text

    def test_with_thousand_separators(self, admin_client, model, settings):
        settings.USE_THOUSAND_SEPARATOR = True
        row = FACTORIES[model](pk=1234567, is_synced=True)
        [button] = manage_here_buttons(parse(admin_client.get(url(row, "change"))))
        admin_client.post(button)
        assert not is_synced(row)

    @pytest.mark.urls("tests.admin.test_catalog")
    def test_in_an_admin_with_another_name(self, log_in_staff, model, synced):
        client = log_in_staff(f"change_{model}")
        [button] = manage_here_buttons(parse(client.get(url(synced, "change", "staff"))))
        assert button.startswith(reverse("admin:index", current_app="staff"))
        assert client.post(button)["Location"] == url(synced, "change", "staff")
        assert not is_synced(synced)

    @pytest.mark.urls("tests.admin.test_catalog")
    def test_in_an_admin_without_credit_requests(self, log_in_staff, model, synced):
        client = log_in_staff(f"view_{model}", "view_usercreditpathway")
        for page in ("changelist", "change"):
            assert client.get(url(synced, page, "staff")).status_code == 200


@pytest.fixture
def in_second_database(settings):
    settings.DATABASE_ROUTERS = ["tests.support.routers.SecondDatabaseRouter"]
    Site.objects.clear_cache()
    yield
    Site.objects.clear_cache()


@pytest.mark.django_db(databases=["second"])
def test_manage_here_in_a_second_database(in_second_database, admin_client, synced):
    press_on_page(admin_client, synced)
    assert not is_synced(synced)
    assert LogEntry.objects.get().get_edited_object() == synced


def test_a_corrected_address_survives_a_synchronization(admin_client):
    item = pathway_item(email="dead@northfield.example")
    catalog = {"site": Site.objects.get_current(), "programs": [], "pathways": [item]}
    synchronize(**catalog)
    pathway = Pathway.objects.get()
    press_on_page(admin_client, pathway)
    admin_client.post(url(pathway, "change"), {**values(pathway), "site": 1, "email": "new@northfield.example"})
    result = synchronize(**catalog)
    assert (result.changes, len(result.skipped)) == ([], 1)
    result = synchronize(**{**catalog, "pathways": []})
    assert result.changes == []
    pathway.refresh_from_db()
    assert (pathway.email, pathway.status) == ("new@northfield.example", "published")


def test_a_history_that_cannot_store_the_name(admin_client, synced, monkeypatch):
    """Its table may have another character set than the app's."""
    log_actions = LogEntry.objects.log_actions

    def ascii_only(user_id, queryset, *arguments, **options):
        if not all(str(row).isascii() for row in queryset):
            raise DataError
        return log_actions(user_id, queryset, *arguments, **options)

    monkeypatch.setattr(LogEntry.objects, "log_actions", ascii_only)
    name = "title" if isinstance(synced, Program) else "name"
    type(synced).objects.update(**{name: "Données"})
    press_on_page(admin_client, synced)
    assert not is_synced(synced)
    assert LogEntry.objects.get().object_repr == "Donn?es"
    assert str(type(synced).objects.get()) == "Données"
    admin_client.post(url(synced, "delete"), {"post": "yes"})
    assert not type(synced).objects.exists()
    assert LogEntry.objects.filter(action_flag=DELETION).get().object_repr == "Donn?es"


class TestIdsThatAreNone:
    VALUES = ("abc", "1.5", "1,000", "\0", str(2**63), "9" * 30)

    @pytest.mark.parametrize("pk", VALUES, ids=ascii)
    def test_actions(self, admin_client, model, pk, log_in_staff):
        data = {"action": "manage_here", "_selected_action": pk}
        list_url = reverse(f"admin:credit_pathways_{model}_changelist")
        assert admin_client.post(list_url, data).status_code == 400
        requests = reverse("admin:credit_pathways_usercreditpathway_changelist")
        assert admin_client.post(requests, {**data, "action": "deliver_again"}).status_code == 400
        assert admin_client.get(list_url, {"site__id__exact": pk}, follow=True).status_code == 200
        assert admin_client.get(list_url, {"site__exact": pk}, follow=True).status_code in {200, 400}

    @pytest.mark.parametrize("pk", VALUES, ids=ascii)
    def test_the_programs_of_a_pathway(self, admin_client, pk):
        pathway = factories.PathwayFactory()
        page = url(pathway, "change")
        response = admin_client.post(page, {**values(pathway), "site": 1, "programs": [pk]})
        assert "is not a valid value" in response.content.decode()
        assert admin_client.get(reverse("admin:credit_pathways_pathway_add"), {"programs": pk}).status_code == 200
