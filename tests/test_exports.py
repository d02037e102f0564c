"""Exporting credit requests."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.urls import reverse

from credit_pathways import exports
from credit_pathways.exports import COLUMNS, export_rows
from credit_pathways.models import UserCreditPathway
from tests import factories

pytestmark = pytest.mark.django_db


def all_rows():
    return [dict(zip(COLUMNS, row, strict=True)) for row in export_rows(UserCreditPathway.objects.all())]


def test_row(learner, program, pathway):
    request = factories.UserCreditPathwayFactory(
        user=learner,
        program=program,
        pathway=pathway,
        status="sent",
        completed=True,
        sent_to="registrar@northfield.example",
        attempts=2,
        failure_reason="The attempt failed (TimeoutError)",
        bounced_at=datetime(2026, 1, 3, 1, tzinfo=timezone(timedelta(hours=1))),
        bounce_reason="550 5.1.1 User unknown",
    )
    UserCreditPathway.objects.update(
        created=datetime(2026, 1, 2, 3, 4, 5, 678, UTC), modified=datetime(2026, 1, 2, tzinfo=UTC)
    )
    expected = {
        "id": request.pk,
        "username": "halima",
        "pathway_id": pathway.pk,
        "pathway": "Master of Science",
        "institution": "Northfield University",
        "program_uuid": str(program.uuid),
        "program": "Statistics",
        "status": "sent",
        "completed": "true",
        "sent_to": "registrar@northfield.example",
        "attempts": 2,
        "failure_reason": "The attempt failed (TimeoutError)",
        "bounced_at": "2026-01-03T00:00:00+00:00",
        "bounce_reason": "550 5.1.1 User unknown",
        "created": "2026-01-02T03:04:05.000678+00:00",
        "modified": "2026-01-02T00:00:00+00:00",
    }
    assert all_rows() == [expected]
    assert tuple(expected) == COLUMNS


@pytest.mark.parametrize(("completed", "cell"), [(True, "true"), (False, "false"), (None, "")])
def test_booleans_are_written_as_in_json(completed, cell):
    factories.UserCreditPathwayFactory(completed=completed)
    [row] = all_rows()
    assert row["completed"] == cell


def test_a_request_that_was_not_delivered_yet():
    factories.UserCreditPathwayFactory()
    [row] = all_rows()
    names = ("completed", "sent_to", "attempts", "failure_reason", "bounced_at", "bounce_reason")
    assert [row[name] for name in names] == ["", "", 0, "", "", ""]


def test_missing_program_is_an_empty_cell():
    factories.UserCreditPathwayFactory(program=None)
    [row] = all_rows()
    assert (row["program"], row["program_uuid"]) == ("", "")


def test_columns_have_the_names_of_the_api(client, learner):
    """An export may have more columns than the API has fields."""
    factories.UserCreditPathwayFactory(user=learner)
    [row] = client.get(reverse("credit_pathways:api-credit-requests-list")).json()["results"]
    assert set(row) <= set(COLUMNS)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "|calc", "a;=1", " =1", "＝1", "=1\n=2"])
def test_no_cell_is_a_formula(text, program, pathway):
    for instance, field in ((program, "title"), (pathway, "name"), (pathway, "org_name")):
        setattr(instance, field, text)
        instance.save()
    own = ("sent_to", "failure_reason", "bounce_reason")
    factories.UserCreditPathwayFactory(program=program, pathway=pathway, **dict.fromkeys(own, text))
    [row] = all_rows()
    for name in ("program", "pathway", "institution", *own):
        assert "'" in row[name]
        assert "\n" not in row[name]


def test_reads_in_chunks(monkeypatch, django_assert_num_queries, program, pathway):
    """Each chunk takes two queries, and each request is exported exactly once, ordered by id."""
    monkeypatch.setattr(exports, "ROWS_PER_CHUNK", 3)
    requests = factories.UserCreditPathwayFactory.create_batch(7, program=program, pathway=pathway)
    with django_assert_num_queries(3 * 2 + 1):
        rows = all_rows()
    assert [row["id"] for row in rows] == [request.pk for request in requests]
