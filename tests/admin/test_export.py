"""The export of the list of credit requests as CSV and XLSX."""

import csv
import re
import zipfile
from io import BytesIO

import openpyxl
import pytest
from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.urls import reverse_lazy

from credit_pathways.admin import UserCreditPathwayAdmin, export
from credit_pathways.exports import COLUMNS, export_rows
from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support.html import Page

pytestmark = pytest.mark.django_db

LIST = reverse_lazy("admin:credit_pathways_usercreditpathway_changelist")
URL = reverse_lazy("admin:credit_pathways_usercreditpathway_export")
FORMATS = {"csv": "0", "xlsx": "1"}


def read_rows(response, kind):
    """Return the rows of the file, starting with the headings."""
    assert f".{kind}" in response["Content-Disposition"], response.content.decode()
    if kind == "csv":
        assert response.content.startswith(b"\xef\xbb\xbf")
        return list(csv.reader(response.content.decode("utf-8-sig").splitlines()))
    sheet = openpyxl.load_workbook(BytesIO(response.content)).active
    return [[cell.value for cell in row] for row in sheet.rows]


def export_as(client, kind, query=""):
    return read_rows(client.post(f"{URL}{query}", {"format": FORMATS[kind]}), kind)


@pytest.mark.parametrize("kind", FORMATS)
def test_export_of_the_filtered_list(kind, staff, program, pathway, learner):
    row = factories.UserCreditPathwayFactory(
        user=learner, program=program, pathway=pathway, status="failed", completed=False, attempts=3
    )
    factories.UserCreditPathwayFactory(program=None, completed=True)
    factories.UserCreditPathwayFactory(program=None, completed=None)
    headings, *rows = export_as(staff, kind)
    assert headings == list(COLUMNS)
    exported = export_rows(UserCreditPathway.objects.all())
    expected = [[str(cell) if kind == "csv" else None if cell == "" else cell for cell in cells] for cells in exported]
    assert rows == expected
    assert [cells[COLUMNS.index("completed")] or "" for cells in rows] == ["false", "true", ""]
    for query in (f"?program={program.pk}", "?q=halima", "?status=failed&o=7", "?since=2020-01-01&q=halima"):
        assert [int(cells[0]) for cells in export_as(staff, kind, query)[1:]] == [row.pk]


def test_export_from_any_page_of_the_list_is_complete(staff, program, pathway):
    factories.UserCreditPathwayFactory.create_batch(2, program=program, pathway=pathway)
    for page in ("1", "2", "0", "x", "9" * 30):
        assert len(export_as(staff, "csv", f"?p={page}")) == 1 + 2


@pytest.mark.parametrize("kind", FORMATS)
def test_formulas_are_escaped(kind, staff, program, pathway):
    program.title = pathway.name = pathway.org_name = '=HYPERLINK("http://evil.example")'
    program.save()
    pathway.save()
    user = factories.UserFactory(username="=1+1")
    own = dict.fromkeys(("failure_reason", "bounce_reason"), "=1+1")
    factories.UserCreditPathwayFactory(user=user, program=program, pathway=pathway, **own)
    [_headings, cells] = export_as(staff, kind)
    found = dict(zip(COLUMNS, cells, strict=True))
    for name in ("username", "program", "pathway", "institution", *own):
        assert found[name].startswith("'=")


def test_xlsx_without_characters_that_xml_does_not_allow(staff, program, pathway):
    program.title = "a\ufffe\uffff\x0b"
    program.save()
    factories.UserCreditPathwayFactory(program=program, pathway=pathway)
    assert export_as(staff, "xlsx")[1][COLUMNS.index("program")] == "a"


def test_search_term_with_a_null_character(staff):
    assert staff.get(URL, {"q": "\0nobody"}).status_code == 400


def test_xlsx_has_no_formulas(staff, program, pathway):
    program.title = "=1+1"
    program.save()
    factories.UserCreditPathwayFactory(program=program, pathway=pathway)
    response = staff.post(URL, {"format": FORMATS["xlsx"]})
    sheet = openpyxl.load_workbook(BytesIO(response.content)).active
    texts = {"s", "inlineStr"}  # the latter are empty
    assert {cell.data_type for row in sheet.rows for cell in row} == {"n", *texts}


def test_the_list_links_to_the_export_with_its_filters(staff, program):
    page = Page(staff.get(LIST, {"status": "failed"}).content.decode())
    assert f"{URL}?status=failed" in [page.attributes(link).get("href") for link in page.find_all("a")]


def test_the_page_offers_two_formats_and_lists_the_columns(staff):
    page = Page(staff.get(URL).content.decode())
    options = [page.text_of(option) for option in page.find_all("option")]
    assert options == ["---", "csv", "xlsx"]
    assert ", ".join(COLUMNS) in page.text


@pytest.mark.parametrize("number", [2, 3])
def test_too_many_requests(number, staff, program, pathway, monkeypatch):
    monkeypatch.setattr(export, "MAX_LISTED_ROWS", 3)
    monkeypatch.setattr("credit_pathways.admin.learner_rows.MAX_LISTED_ROWS", 3)
    factories.UserCreditPathwayFactory.create_batch(number, program=program, pathway=pathway, status="failed")
    if number < 3:
        assert len(export_as(staff, "csv")) == number + 1
        return
    for method in (staff.get, staff.post):
        page = method(f"{URL}?status=failed", follow=True)
        assert page.redirect_chain == [(f"{LIST}?status=failed", 302)]
        [message] = page.context["messages"]
        assert str(message).endswith("or run: manage.py export_credit_requests")


def test_permission_denied(log_in_staff):
    client = log_in_staff()
    assert client.get(URL).status_code == 403
    assert client.post(URL, {"format": "0"}).status_code == 403


@pytest.mark.parametrize(
    ("value", "error"), [("", "This field is required"), ("2", "is not one of the available choices")]
)
def test_invalid_format(value, error, staff):
    assert error in Page(staff.post(URL, {"format": value}).content.decode()).text


def test_a_hosts_own_admin_with_other_rows_and_permissions(staff, program, pathway, rf):
    row, _other = factories.UserCreditPathwayFactory.create_batch(2, program=program, pathway=pathway)

    class HostAdmin(UserCreditPathwayAdmin):
        def get_queryset(self, request):
            return super().get_queryset(request).filter(pk=row.pk)

        def has_view_permission(self, request, obj=None):
            return request.user.is_superuser

    request = rf.post(URL, {"format": FORMATS["csv"]})
    request.user = get_user_model().objects.get(is_staff=True)
    with pytest.raises(PermissionDenied):
        HostAdmin(UserCreditPathway, site).export_view(request)
    request.user.is_superuser = True
    rows = read_rows(HostAdmin(UserCreditPathway, site).export_view(request), "csv")
    assert [int(cells[0]) for cells in rows[1:]] == [row.pk]


@pytest.mark.parametrize("text", ["_x0041_", "a_x000D_b", "_x005F_x0041_", "__x0041__"])
def test_text_that_xlsx_would_read_as_a_character(text, staff):
    factories.UserCreditPathwayFactory(pathway=factories.PathwayFactory(name=text))
    name = COLUMNS.index("pathway")
    [_headings, row] = export_as(staff, "csv")
    assert row[name] == text
    content = staff.post(URL, {"format": FORMATS["xlsx"]}).content
    with zipfile.ZipFile(BytesIO(content)) as archive:
        xml = "".join(archive.read(file).decode() for file in archive.namelist() if file.endswith(".xml"))
    # Excel reads each _xHHHH_ as a character, once, from the left.
    assert re.search(f">{re.escape(text.replace('_x', '_x005F_x'))}<", xml)


def test_text_that_xlsx_would_read_as_an_error(staff):
    factories.UserCreditPathwayFactory(pathway=factories.PathwayFactory(name="#N/A"))
    [_headings, row] = export_as(staff, "xlsx")
    assert row[COLUMNS.index("pathway")] == "'#N/A"


def test_a_refused_export_leads_back_to_the_list_of_this_admin(staff, monkeypatch):
    monkeypatch.setattr(export, "MAX_LISTED_ROWS", 0)
    assert staff.get(f"{URL}?status=sent")["Location"] == f"{LIST}?status=sent"
