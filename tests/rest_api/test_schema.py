"""Responses in the OpenAPI schema that schemathesis does not get from the demo (``tests/services/test_schema.py``)."""

from django.urls import reverse_lazy
from rest_framework.authentication import BasicAuthentication

from credit_pathways.rest_api.views import ProgramRecordListView

RECORDS = reverse_lazy("credit_pathways:api-records-list")


def test_only_json_is_acceptable(client):
    response = client.get(RECORDS, headers={"Accept": "text/html"})
    assert (response.status_code, list(response.json())) == (406, ["detail"])


def test_a_host_whose_authentication_has_a_challenge(client, monkeypatch):
    monkeypatch.setattr(ProgramRecordListView, "authentication_classes", [BasicAuthentication])
    response = client.get(RECORDS)
    assert (response.status_code, list(response.json())) == (401, ["detail"])
    assert response["WWW-Authenticate"] == 'Basic realm="api"'
