"""How many SQL statements each page and endpoint may execute, besides the record source's, with any amount of data."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests import factories
from tests.support.record_source import EARNED, FixedRecordSource

pytestmark = pytest.mark.django_db(transaction=True)

TRANSACTION_CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET")


def statements(call):
    """Return the statements that ``call`` executes, including those for the session and the user."""
    with CaptureQueriesContext(connection) as captured:
        response = call()
    assert response.status_code in {200, 302}
    return [query["sql"] for query in captured if not query["sql"].startswith(TRANSACTION_CONTROL)]


@pytest.fixture
def add_data(learner, program, pathway, monkeypatch):
    """Return a function that adds many pathways, credit requests and courses."""

    def add():
        factories.PathwayFactory.create_batch(30, programs=[program])
        factories.UserCreditPathwayFactory.create_batch(30, user=learner, program=program, pathway=pathway)
        for _number in range(10):
            elsewhere = factories.ProgramFactory(site=factories.SiteFactory())
            factories.UserCreditPathwayFactory(user=learner, program=elsewhere, pathway=pathway)
        monkeypatch.setattr(FixedRecordSource, "courses", [EARNED] * 30)

    return add


@pytest.fixture
def calls(client, learner, program, pathway, relay, settings):
    """Requests for a record that is already shared, by name."""
    settings.CREDIT_PATHWAYS_REQUEST_RATE = "1000/minute"
    shared = factories.ProgramCertRecordFactory(user=learner, program=program)
    row = factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway)
    body = {"username": "halima", "pathway_id": pathway.pk}

    def url(name, *args):
        return reverse(f"credit_pathways:{name}", args=args)

    return {
        "send": lambda: client.post(url("send", program.uuid), body, content_type="application/json"),
        "share": lambda: client.post(url("share", program.uuid), body, content_type="application/json"),
        "page": lambda: client.get(url("program_record", program.uuid)),
        "requests page": lambda: client.get(url("credit_requests")),
        "receipt": lambda: client.get(url("credit_request", row.pk)),
        "json": lambda: client.get(url("api-records-detail", program.uuid)),
        "public page": lambda: client.get(url("public_record", shared.uuid)),
        "public json": lambda: client.get(url("api-records-detail", shared.uuid), {"is_public": "true"}),
        "csv": lambda: client.get(url("public_record_csv", shared.uuid)),
        "list": lambda: client.get(url("api-records-list")),
        "credit requests": lambda: client.get(url("api-credit-requests-list")),
    }


@pytest.mark.parametrize(
    ("name", "budget"),
    [
        ("send", 9),
        ("share", 4),
        ("page", 5),
        ("requests page", 7),
        ("receipt", 8),
        ("json", 5),
        ("public page", 1),
        ("public json", 3),
        ("csv", 1),
        ("list", 4),
        ("credit requests", 6),
    ],
)
def test_budget(name, budget, calls, add_data):
    few = statements(calls[name])
    add_data()
    many = statements(calls[name])
    assert len(few) <= budget, few
    assert len(many) <= len(few), many


def test_the_form_executes_as_many_statements_for_each_pathway(client, learner, program, pathway, relay):
    factories.ProgramCertRecordFactory(user=learner, program=program)
    others = factories.PathwayFactory.create_batch(4, programs=[program])
    url = reverse("credit_pathways:request_credit", args=[program.uuid])
    one = statements(lambda: client.post(url, {"pathway": [pathway.pk]}))
    five = statements(lambda: client.post(url, {"pathway": [p.pk for p in [pathway, *others]]}))
    # MySQL and MariaDB first lock the pathways.
    assert len(five) - len(one) == 4 * 4 + (connection.vendor == "mysql"), five
