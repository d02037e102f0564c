"""The signal that hosts get."""

import pytest
from django.db import transaction

from credit_pathways import api
from credit_pathways.models import UserCreditPathway
from credit_pathways.signals import credit_requested
from tests import factories
from tests.support.receivers import connected

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def heard(request):
    """What a host's receiver heard: sender, row, whether it is committed, mails so far."""
    heard = []

    def receiver(sender, request, **kwargs):
        heard.append((sender, request.pk, transaction.get_connection().in_atomic_block, request.status))

    with connected(credit_requested, receiver):
        yield heard


def test_it_comes_once_for_each_request_after_commit(heard, learner, program, pathway, relay):
    with transaction.atomic():
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        assert heard == []
    assert heard == [(UserCreditPathway, request.pk, False, "pending")]


def test_a_receiver_that_spoils_one_request_does_not_stop_the_others(learner, program, pathway, relay):
    other = factories.PathwayFactory(programs=[program])

    def receiver(request, **kwargs):
        if request.pathway == pathway:
            request.delete()

    with connected(credit_requested, receiver):
        _spoilt, request = api.request_credit(user=learner, program=program, pathways=[pathway, other])
    assert (request.status, [mail["To"] for mail in relay.mails]) == ("sent", [other.email])


def test_a_receiver_that_raises_stops_nothing(learner, program, pathway, relay):
    def receiver(**kwargs):
        raise ValueError("the host's")

    with connected(credit_requested, receiver):
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
    assert (request.status, len(relay.mails)) == ("sent", 1)
