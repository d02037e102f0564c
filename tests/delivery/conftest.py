"""Fixtures for the tests of deliveries."""

import pytest

from credit_pathways import api
from credit_pathways.models import UserCreditPathway
from tests import factories


@pytest.fixture
def sent_row(request_row):
    UserCreditPathway.objects.update(status="sent", sent_to=request_row.pathway.email)
    request_row.refresh_from_db()
    return request_row


@pytest.fixture
def sent_mail(learner, program, pathway, relay):
    row = factories.UserCreditPathwayFactory(pk=4711, user=learner, program=program, pathway=pathway)
    factories.ProgramCertRecordFactory(user=learner, program=program)
    api.deliver(row)
    return relay.messages[-1]


@pytest.fixture(scope="module")
def sent_mails():
    return []


@pytest.fixture
def mail(sent_mails, request):
    """The email of request 4711, as it was received. It is sent once, which takes longer than any of these tests."""
    if not sent_mails:
        sent_mails.append(request.getfixturevalue("sent_mail"))
    return sent_mails[0]
