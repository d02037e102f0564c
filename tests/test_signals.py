"""The signal that hosts can connect to."""

import pytest
from django.db import transaction

from credit_pathways import api
from credit_pathways.delivery import sending
from credit_pathways.models import UserCreditPathway
from credit_pathways.signals import credit_requested
from tests import factories
from tests.support.receivers import connected

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def received():
    """The calls of a host's receiver: sender, request id, whether in a transaction, status."""
    received = []

    def receiver(sender, request, **kwargs):
        received.append((sender, request.pk, transaction.get_connection().in_atomic_block, request.status))

    with connected(credit_requested, receiver):
        yield received


def test_sent_once_for_each_request_after_commit(received, learner, program, pathway, relay):
    with transaction.atomic():
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
        assert received == []
    assert received == [(UserCreditPathway, request.pk, False, "pending")]


def test_sent_also_for_requests_that_there_is_no_time_to_send(received, learner, program, pathway, monkeypatch):
    monkeypatch.setattr(sending, "MAX_DELIVERY_SECONDS", -1)
    [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
    assert request.status == "failed"
    assert [pk for _sender, pk, *_state in received] == [request.pk]


def test_receiver_that_deletes_a_request_does_not_affect_the_others(learner, program, pathway, relay):
    other = factories.PathwayFactory(programs=[program])

    def receiver(request, **kwargs):
        if request.pathway == pathway:
            request.delete()

    with connected(credit_requested, receiver):
        _deleted, request = api.request_credit(user=learner, program=program, pathways=[pathway, other])
    assert (request.status, [email["To"] for email in relay.messages]) == ("sent", [other.email])


def test_receiver_that_raises_does_not_stop_delivery(learner, program, pathway, relay):
    def receiver(**kwargs):
        raise ValueError("raised by a host's receiver")

    with connected(credit_requested, receiver):
        [request] = api.request_credit(user=learner, program=program, pathways=[pathway])
    assert (request.status, len(relay.messages)) == ("sent", 1)
