"""Earlier requests, whatever their columns say, never decide what a learner may do (ADR 0001)."""

import re
from itertools import product

import pytest
from django.urls import reverse
from django.utils import timezone

from credit_pathways import api
from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support.outcomes import attempt

pytestmark = pytest.mark.django_db(transaction=True)

#: Values of each column that a request tells, the first being that of a new request.
VALUES = {
    "status": ("pending", "sent", "failed"),
    "completed": (None, False, True),
    "sent_to": ("", "registrar@northfield.example", "old@northfield.example"),
    "attempts": (0, 1_000_000),
    "failure_reason": ("", "The learner was retired"),
    "bounced_at": (None, timezone.now()),
    "bounce_reason": ("", "550 no such user"),
}

ALL = [dict(zip(VALUES, values, strict=True)) for values in product(*VALUES.values())]


@pytest.fixture
def offer(client, program):
    """Return a function that returns the dialog of the page and the pathways in JSON."""

    def read():
        page = client.get(reverse("credit_pathways:program_record", args=[program.uuid])).content.decode()
        [dialog] = re.findall('<dialog id="cp-request".*?</dialog>', page, re.DOTALL)
        record = client.get(reverse("credit_pathways:api-records-detail", args=[program.uuid])).json()["record"]
        return re.sub('name="csrfmiddlewaretoken" value="[^"]+"', "", dialog), record["pathways"]

    return read


def test_the_dialog_and_its_options_stay_identical(offer, learner, program, pathway):
    factories.PathwayFactory(programs=[program])
    factories.ProgramCertRecordFactory(user=learner, program=program)
    before = offer()
    assert len(before[1]) == 2
    row = {"user": learner, "program": program, "pathway": pathway}
    UserCreditPathway.objects.bulk_create(UserCreditPathway(**row, **values) for values in ALL)
    assert offer() == before


def test_the_learner_can_request_again(client, learner, program, pathway, relay):
    row = {"user": learner, "program": program, "pathway": pathway}
    UserCreditPathway.objects.bulk_create(UserCreditPathway(**row, **values) for values in ALL)
    body = {"username": "halima", "pathway_id": pathway.pk}
    answer = client.post(reverse("credit_pathways:send", args=[program.uuid]), body, content_type="application/json")
    assert (answer.status_code, len(relay.messages)) == (200, 1)


@pytest.mark.parametrize("deliver", [api.deliver, lambda row: attempt(row.pk)])
@pytest.mark.parametrize("column", [name for name in VALUES if name not in ("status", "attempts")])
def test_other_columns_do_not_decide_about_a_delivery(column, deliver, request_row, relay):
    for value in VALUES[column]:
        UserCreditPathway.objects.update(status="pending", **{column: value})
        assert deliver(UserCreditPathway.objects.get()) == "sent"
    assert len(relay.messages) == len(VALUES[column])
