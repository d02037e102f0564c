"""The export of the list of credit requests, as CSV and XLSX."""

import csv
from io import BytesIO

import openpyxl
import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Permission, User

from credit_pathways.admin import UserCreditPathwayAdmin, export
from credit_pathways.exports import COLUMNS
from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support.html import Page

pytestmark = pytest.mark.django_db

LIST = "/admin/credit_pathways/usercreditpathway/"
URL = f"{LIST}export/"
FORMATS = {"csv": "0", "xlsx": "1"}


@pytest.fixture
def staff(client):
    """A browser of somebody who may view requests and nothing else."""
    user = factories.UserFactory(username="staff", is_staff=True)
    permission = Permission.objects.get(codename="view_usercreditpathway", content_type__app_label="credit_pathways")
    user.user_permissions.add(permission)
    client.force_login(user)
    return client


def exported(client, kind, query=""):
    """Return the rows, the first being the headings."""
    answer = client.post(f"{URL}{query}", {"format": FORMATS[kind], "resource": "0"})
    assert f".{kind}" in answer["Content-Disposition"], answer.content.decode()
    if kind == "csv":
        assert answer.content.startswith(b"\xef\xbb\xbf")
        return list(csv.reader(answer.content.decode("utf-8-sig").splitlines()))
    sheet = openpyxl.load_workbook(BytesIO(answer.content)).active
    return [[cell.value for cell in row] for row in sheet.rows]


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_filtered(kind, staff, program, pathway, learner):
    row = factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway, status="failed")
    other = factories.UserCreditPathwayFactory(program=None)
    headings, first, second = exported(staff, kind)
    assert headings == list(COLUMNS)
    assert [int(first[0]), int(second[0])] == [row.pk, other.pk]
    assert first[1:8] == [
        "halima", str(pathway.pk) if kind == "csv" else pathway.pk, "Master of Science", "Northfield University",
        str(program.uuid), "Statistics", "failed",
    ]  # fmt: skip
    for query in (f"?program={program.pk}", "?q=halima", "?status=failed&o=7", "?since=2020-01-01&q=halima"):
        assert [int(found[0]) for found in exported(staff, kind, query)[1:]] == [row.pk]


@pytest.mark.parametrize("kind", FORMATS)
def test_no_cell_is_a_formula(kind, staff, program, pathway):
    program.title = pathway.name = pathway.org_name = '=HYPERLINK("http://evil.example")'
    program.save()
    pathway.save()
    user = factories.UserFactory(username="=1+1")
    factories.UserCreditPathwayFactory(user=user, program=program, pathway=pathway)
    [_headings, cells] = exported(staff, kind)
    found = dict(zip(COLUMNS, cells, strict=True))
    for name in ("username", "program", "pathway", "institution"):
        assert found[name].startswith("'=")


def test_a_workbook_of_what_is_no_character(staff, program, pathway):
    program.title = "a\ufffe\uffff\x0b"
    program.save()
    factories.UserCreditPathwayFactory(program=program, pathway=pathway)
    assert exported(staff, "xlsx")[1][6] == "a"


def test_a_search_that_cannot_be_understood(staff):
    assert staff.get(URL, {"q": "\0nobody"}).status_code == 400


def test_in_a_workbook_texts_are_texts(staff, program, pathway):
    program.title = "=1+1"
    program.save()
    factories.UserCreditPathwayFactory(program=program, pathway=pathway)
    answer = staff.post(URL, {"format": FORMATS["xlsx"], "resource": "0"})
    sheet = openpyxl.load_workbook(BytesIO(answer.content)).active
    assert {cell.data_type for row in sheet.rows for cell in row} == {"n", "s"}


def test_the_list_links_to_it_with_its_filters(staff, program):
    page = Page(staff.get(LIST, {"status": "failed"}).content.decode())
    assert f"{URL}?status=failed" in [page.attributes(link).get("href") for link in page.all_of("a")]


def test_the_page_offers_two_formats_and_lists_the_columns(staff):
    page = Page(staff.get(URL).content.decode())
    options = [page.text_of(option) for option in page.all_of("option")]
    assert options == ["---", "csv", "xlsx"]
    assert ", ".join(COLUMNS) in page.text


@pytest.mark.parametrize("number", [2, 3])
def test_too_many(number, staff, program, pathway, monkeypatch):
    monkeypatch.setattr(export, "LISTED", 3)
    monkeypatch.setattr("credit_pathways.admin.learner_rows.LISTED", 3)
    factories.UserCreditPathwayFactory.create_batch(number, program=program, pathway=pathway, status="failed")
    if number < 3:
        assert len(exported(staff, "csv")) == number + 1
        return
    for method in (staff.get, staff.post):
        page = method(f"{URL}?status=failed", follow=True)
        assert page.redirect_chain == [(f"{LIST}?status=failed", 302)]
        [message] = page.context["messages"]
        assert str(message).endswith("or run: manage.py export_credit_requests")


def test_who_may_not(client):
    client.force_login(factories.UserFactory(is_staff=True))
    assert client.get(URL).status_code == 403
    assert client.post(URL, {"format": "0"}).status_code == 403


def test_rows_are_not_chosen_one_by_one(staff, program, pathway):
    row = factories.UserCreditPathwayFactory(program=program, pathway=pathway)
    answer = staff.post(URL, {"format": "0", "resource": "0", "export_items": [row.pk]})
    assert "is not one of the available choices" in answer.content.decode()


def test_a_form_that_is_not_filled_in(staff):
    assert "This field is required" in Page(staff.post(URL, {"resource": "0"}).content.decode()).text


def test_a_hosts_own_list_exports_its_own_rows(staff, program, pathway, rf):
    row, _other = factories.UserCreditPathwayFactory.create_batch(2, program=program, pathway=pathway)

    class HostsAdmin(UserCreditPathwayAdmin):
        def get_queryset(self, request):
            return super().get_queryset(request).filter(pk=row.pk)

    request = rf.post(URL, {"format": FORMATS["csv"], "resource": "0"})
    request.user = User.objects.get(username="staff")
    answer = HostsAdmin(UserCreditPathway, site).export_action(request)
    assert [int(cells[0]) for cells in csv.reader(answer.content.decode("utf-8-sig").splitlines()[1:])] == [row.pk]
