"""Django admin."""

import pytest
from django.urls import reverse

from credit_pathways.models import ProgramCertRecord, UserCreditPathway

from . import factories

pytestmark = pytest.mark.django_db

MODELS = ["program", "pathway", "programcertrecord", "usercreditpathway"]


def url(model, page, *args):
    return reverse(f"admin:credit_pathways_{model}_{page}", args=args)


@pytest.fixture
def request_row(learner, program, pathway):
    factories.ProgramCertRecordFactory(user=learner, program=program)
    return factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("query", ["", "?q=halima", "?q=Statistics", "?q=%00", "?o=1.2.3"])
def test_lists_and_searches(model, query, admin_client, request_row):
    assert admin_client.get(url(model, "changelist") + query).status_code == 200


def test_the_list_shows_who_asked_whom_for_what(admin_client, request_row, pathway):
    old = factories.UserCreditPathwayFactory(user=request_row.user, program=None, pathway=pathway)
    page = admin_client.get(url("usercreditpathway", "changelist")).content.decode()
    for part in ("halima", "Master of Science", "Northfield University", "Statistics", "pending", "not recorded"):
        assert part in page
    assert page.index(f">{old.pk}<") < page.index(f">{request_row.pk}<")


@pytest.mark.parametrize(("word", "found"), [("halima", 1), ("halima@home.example", 1), ("halim", 0), ("dario", 0)])
def test_requests_are_searched_by_the_whole_username_or_address(word, found, admin_client, request_row):
    page = admin_client.get(url("usercreditpathway", "changelist"), {"q": word})
    assert page.context["cl"].result_count == found


@pytest.mark.parametrize("model", ["programcertrecord", "usercreditpathway"])
def test_what_learners_did_is_read_only(model, admin_client, request_row):
    row = {"programcertrecord": ProgramCertRecord, "usercreditpathway": UserCreditPathway}[model].objects.get()
    assert admin_client.get(url(model, "change", row.pk)).status_code == 200
    assert admin_client.post(url(model, "change", row.pk), {"status": "sent"}).status_code == 403
    assert admin_client.get(url(model, "add")).status_code == 403


@pytest.mark.parametrize("model", ["program", "pathway"])
def test_the_catalog_can_be_edited(model, admin_client, program, pathway):
    row = {"program": program, "pathway": pathway}[model]
    assert admin_client.get(url(model, "change", row.pk)).status_code == 200


def test_the_list_does_not_ask_for_each_row(admin_client, program, pathway, django_assert_max_num_queries):
    factories.UserCreditPathwayFactory.create_batch(50, program=program, pathway=pathway)
    with django_assert_max_num_queries(10):
        page = admin_client.get(url("usercreditpathway", "changelist"))
    assert page.context["cl"].result_count == 50
