"""The report: its page, and its tables as CSV."""

import csv
from datetime import UTC, date, datetime, timedelta

import pytest
from django.urls import reverse_lazy
from django.utils import timezone

from credit_pathways.models import UserCreditPathway
from credit_pathways.reports import GROUPINGS
from tests import factories
from tests.support.html import Page

pytestmark = pytest.mark.django_db

LIST = reverse_lazy("admin:credit_pathways_usercreditpathway_changelist")
URL = reverse_lazy("admin:credit_pathways_usercreditpathway_report")


@pytest.fixture
def rows(program, pathway, learner):
    """Three identical requests in March, and one of another learner without a program in April. Two bounced."""
    made = factories.UserCreditPathwayFactory.create_batch(3, user=learner, program=program, pathway=pathway)
    made.append(factories.UserCreditPathwayFactory(program=None, pathway=pathway, status="sent"))
    for row, day in zip(made, (1, 2, 31, 32), strict=True):
        created = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=day - 1)
        UserCreditPathway.objects.filter(pk=row.pk).update(created=created)
    UserCreditPathway.objects.filter(pk__in=[made[1].pk, made[3].pk]).update(bounced_at=timezone.now())
    return made


def tables(client, **days):
    """Return the cells of each row of the page's tables, by the title of the table."""
    page = Page(client.get(URL, {"since": "", "until": "", **days}).content.decode())
    return {
        page.text_of(page.find_all("h2", inside=section)[0]): [
            [page.text_of(cell) for cell in sorted(page.find_all("th", inside=row) + page.find_all("td", inside=row))]
            for row in page.find_all("tr", inside=section)
        ]
        for section in page.find_all("section")
    }


def table(client, by, **days):
    """Return the rows of a table's CSV."""
    response = client.get(f"{URL}{by}.csv", {"since": "", "until": "", **days})
    assert (response.status_code, response["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert response.content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(response.content.decode("utf-8-sig").splitlines()))


def test_the_list_links_to_the_report(staff):
    page = Page(staff.get(LIST).content.decode())
    assert URL in [page.attributes(link).get("href") for link in page.find_all("a")]


def test_tables(staff, rows):
    shown = tables(staff)
    assert list(shown) == ["By program", "By pathway", "By institution", "By status", "By month"]
    assert shown["By program"] == [
        ["Program", "Requests", "First", "Repeats", "Learners", "Bounced"],
        ["Statistics", "3", "1", "2", "1", "1"],
        ["not recorded", "1", "1", "0", "1", "1"],
        ["Together", "4", "2", "2", "", "2"],
    ]
    assert shown["By pathway"][1] == ["Master of Science", "Northfield University", "4", "2", "2", "2", "2"]
    assert shown["By institution"][1] == ["Northfield University", "4", "2", "2", "2", "2"]
    assert shown["By status"][1:3] == [["pending", "3", "1", "2", "1", "1"], ["sent", "1", "1", "0", "1", "1"]]
    assert shown["By month"][1:3] == [["March 2026", "3", "1", "2", "1", "1"], ["April 2026", "1", "1", "0", "1", "1"]]


def test_a_range_of_days(staff, rows):
    """Both days are included. A request from before the range makes a later one a repeat."""
    assert tables(staff, since="2026-03-02", until="2026-03-31")["By program"][1:] == [
        ["Statistics", "2", "0", "2", "1", "1"],
        ["Together", "2", "0", "2", "", "1"],
    ]
    assert tables(staff, until="2026-03-01")["By month"][1] == ["March 2026", "1", "1", "0", "1", "0"]


def test_the_default_range_is_the_last_twelve_months(staff, program, pathway):
    now = timezone.now()
    _recent, old = factories.UserCreditPathwayFactory.create_batch(2, program=program, pathway=pathway)
    UserCreditPathway.objects.filter(pk=old.pk).update(created=now - timedelta(days=400))
    page = staff.get(URL)
    [line] = page.context["tables"][0].lines
    assert line[1].requests == 1
    assert page.context["form"].cleaned_data["since"] == date(now.year - 1, now.month, 1)


def test_bounces_are_those_of_the_requests_of_these_days_in_utc(staff, rows, settings):
    settings.TIME_ZONE = "America/New_York"
    for day, bounced in (("2026-03-01", "0"), ("2026-03-02", "1")):
        days = {"since": day, "until": day}
        assert tables(staff, **days)["By month"][1][-1] == bounced
        assert table(staff, "month", **days)[1][-1] == bounced


def test_months_without_requests(staff, rows):
    UserCreditPathway.objects.filter(pk=rows[0].pk).update(created=datetime(2025, 11, 1, tzinfo=UTC))
    months = [[row[0], row[1]] for row in tables(staff)["By month"][1:-1]]
    assert months == [
        ["November 2025", "1"], ["December 2025", "0"], ["January 2026", "0"], ["February 2026", "0"],
        ["March 2026", "2"], ["April 2026", "1"],
    ]  # fmt: skip


def test_days_are_in_utc(staff, rows, settings):
    settings.TIME_ZONE = "Pacific/Auckland"
    assert tables(staff, since="2026-03-31", until="2026-03-31")["By month"][1] == [
        "March 2026",
        "1",
        "0",
        "1",
        "1",
        "0",
    ]


def test_thousand_separators_are_for_people_and_not_for_the_chart(staff, program, pathway, learner, settings):
    settings.USE_THOUSAND_SEPARATOR = True
    UserCreditPathway.objects.bulk_create(
        UserCreditPathway(user=learner, program=program, pathway=pathway) for _number in range(1000)
    )
    page = Page(staff.get(URL).content.decode())
    cell = next(cell for cell in page.find_all("td") if "data-number" in page.attributes(cell))
    assert (page.text_of(cell), page.attributes(cell)["data-number"]) == ("1,000", "1000")


def test_a_note_says_where_the_chart_ends(staff, pathway):
    programs = factories.ProgramFactory.create_batch(16)
    for program in programs:
        factories.UserCreditPathwayFactory(program=program, pathway=pathway)
    page = Page(staff.get(URL).content.decode())
    assert page.text.count("The chart shows the first 15 lines.") == 1
    table = next(table for table in page.find_all("table") if "data-lines" in page.attributes(table))
    assert page.attributes(table)["data-lines"] == "15"


def test_no_requests_in_the_range(staff, rows):
    page = Page(staff.get(URL, {"since": "2020-01-01", "until": "2020-01-01"}).content.decode())
    assert page.text.count("No requests in this range. Choose other days.") == 5


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "9999-12-31", "0001-01-01", "\x00"])
def test_invalid_day(day, staff, rows):
    page = staff.get(URL, {"since": day})
    assert page.status_code == 200
    assert "errorlist" in page.content.decode()
    assert page.context["tables"] == []
    assert staff.get(f"{URL}program.csv", {"since": day}).status_code == 404


def test_csv(staff, rows, program, pathway):
    numbers = ["requests", "first", "repeats", "learners", "bounced"]
    assert table(staff, "program") == [
        ["program", "program_uuid", *numbers],
        ["Statistics", str(program.uuid), "3", "1", "2", "1", "1"],
        ["", "", "1", "1", "0", "1", "1"],
    ]
    assert table(staff, "pathway") == [
        ["pathway", "institution", "pathway_uuid", *numbers],
        ["Master of Science", "Northfield University", str(pathway.uuid), "4", "2", "2", "2", "2"],
    ]
    assert table(staff, "institution")[1] == ["Northfield University", "4", "2", "2", "2", "2"]
    assert table(staff, "status")[1] == ["pending", "3", "1", "2", "1", "1"]
    assert table(staff, "month", until="2026-03-31") == [["month", *numbers], ["2026-03", "3", "1", "2", "1", "1"]]


def test_the_page_links_to_the_csv_of_its_range(staff, rows):
    page = Page(staff.get(URL, {"since": "2026-03-02", "until": ""}).content.decode())
    links = [page.attributes(link)["href"] for link in page.find_all("a") if ".csv" in page.attributes(link)["href"]]
    assert links == [f"{URL}{by}.csv?since=2026-03-02&until=" for by in GROUPINGS]
    assert staff.get(links[0]).status_code == 200


@pytest.mark.parametrize("by", ["program", "pathway", "institution"])
def test_formulas_are_escaped(by, staff, rows, program, pathway):
    program.title = pathway.name = pathway.org_name = "=1+1"
    program.save()
    pathway.save()
    assert table(staff, by)[1][0] == "'=1+1"


def test_unknown_table(staff):
    assert staff.get(f"{URL}user.csv").status_code == 404


def test_number_of_queries(staff, rows, django_assert_max_num_queries):
    """One for each table and one for all bounces, besides those for the session, the user and the permissions."""
    with django_assert_max_num_queries(4 + len(GROUPINGS) + 1):
        staff.get(URL)
    with django_assert_max_num_queries(4 + 1 + 1):
        table(staff, "program")


def test_permission_denied(log_in_staff, rows):
    client = log_in_staff()
    assert client.get(URL).status_code == 403
    assert client.get(f"{URL}program.csv").status_code == 403
    client.logout()
    assert client.get(URL).status_code == 302


def test_other_methods_are_not_allowed(staff):
    assert staff.post(URL).status_code == 405
    assert staff.post(f"{URL}program.csv").status_code == 405


def test_tables_have_the_attributes_that_the_charts_read(staff, rows):
    page = Page(staff.get(URL, {"since": "", "until": ""}).content.decode())
    found = [table for table in page.find_all("table") if "data-chart" in page.attributes(table)]
    assert [page.attributes(table)["data-chart"] for table in found] == list(GROUPINGS)
    cells = [page.attributes(cell).get("data-number") for cell in page.find_all("td", inside=found[0])]
    assert cells[:5] == ["3", "1", "2", "1", "1"]
