"""Learners of Credentials, who use the Learner Record front end, hear of a bounce and of a late failure by email."""

import pytest
from django.core import mail
from django.test import Client

from credit_pathways import api
from credit_pathways.delivery import later
from credit_pathways.models import UserCreditPathway

from . import factories
from .conftest import local_copy, sync

# Delivery raises an error inside a transaction.
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("credit_pathways.contrib.credentials.urls"),
]


@pytest.fixture
def credit_request(learner, client):
    """A request that the front end sent."""
    factories.configure()
    run = factories.CourseRunFactory()
    factories.earn(run, learner.username)
    program = factories.ProgramFactory(course_runs=[run])
    pathway = factories.PathwayFactory(programs=[program], org_name="Law University")
    sync()
    body = {"username": learner.username, "pathway_id": local_copy(pathway).pk}
    answer = client.post(f"/records/programs/{program.uuid}/send", body, content_type="application/json")
    assert answer.json()["status"] == "sent"
    mail.outbox.clear()
    return UserCreditPathway.objects.get()


def the_email(learner, credit_request):
    """Return the only email, after following its link to the receipt as the learner."""
    [email] = mail.outbox
    assert (email.to, email.from_email) == ([learner.email], "partners@open.example")
    path = f"/records/credit-requests/{credit_request.pk}/"
    assert path in email.body
    browser = Client()
    browser.force_login(learner)
    assert browser.get(path).status_code == 200
    return email


def test_a_bounce(learner, credit_request):
    api.record_bounce(request_id=credit_request.pk, reason="5.1.1 smtp; 550 no such user")
    email = the_email(learner, credit_request)
    assert email.subject == f"Credit request {credit_request.pk} did not reach Law University"


def test_a_late_failure(learner, credit_request):
    UserCreditPathway.objects.update(status="pending")
    credit_request.pathway.email = ""
    credit_request.pathway.save()
    assert later.attempt_delivery(request_id=credit_request.pk, queued_after=1) is None
    email = the_email(learner, credit_request)
    assert email.subject == f"Credit request {credit_request.pk} could not be sent to Law University"
