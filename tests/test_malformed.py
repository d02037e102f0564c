"""Malformed input gets a 4xx response that names the field, never a 500."""

import base64
import json
import string
from contextlib import suppress
from urllib.parse import urlencode

import pytest
from django.urls import reverse, reverse_lazy
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from credit_pathways.models import UserCreditPathway
from tests import factories

# The test client re-raises exceptions of views, so a 500 fails these tests.
pytestmark = pytest.mark.django_db

fuzz = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
)
TEXT = st.text(max_size=40) | st.text("-0123456789abcdefABCDEF", max_size=40)


def is_id(value):
    """Return whether Django REST framework would accept ``value`` as a positive integer."""
    if isinstance(value, bool):
        return False
    with suppress(ValueError, OverflowError, TypeError):
        return 1 <= int(str(value).removesuffix(".0")) < 2**63
    return False


@pytest.fixture(autouse=True)
def _no_flood_guard(settings):
    settings.CREDIT_PATHWAYS_REQUEST_RATE = None


@pytest.fixture
def send_url(client, program, pathway):
    return reverse("credit_pathways:send", args=[program.uuid])


def post(client, url, body):
    return client.post(url, body if isinstance(body, bytes) else json.dumps(body), content_type="application/json")


class TestBodies:
    @fuzz
    @given(body=JSON)
    @example(body=[])
    @example(body={})
    @example(body="username")
    def test_a_body_without_the_fields_names_them(self, client, send_url, body):
        answer = post(client, send_url, body)
        assert answer.status_code == 400
        errors = answer.json()
        if isinstance(body, dict):
            assert {"username", "pathway_id"} - body.keys() <= errors.keys()
        else:
            assert list(errors) == ["non_field_errors"]

    @fuzz
    @given(value=JSON)
    @example(value=True)
    @example(value=2**63)
    @example(value="9" * 5000)
    @example(value=1e400)
    @example(value="１")
    @example(value="\ud800")
    @example(value="\x00")
    def test_a_bad_pathway_id_is_named(self, client, send_url, value):
        answer = post(client, send_url, {"username": "halima", "pathway_id": value})
        if answer.status_code in {202, 404}:
            assert is_id(value)
        elif answer.status_code == 400 and "detail" not in answer.json():
            assert list(answer.json()) == ["pathway_id"]
        else:
            # Python's json module writes NaN and Infinity, which are not JSON.
            assert (answer.status_code, "JSON parse error" in answer.json()["detail"]) == (400, True)

    @fuzz
    @given(value=JSON)
    @example(value="\ud800")
    @example(value="halima\x00")
    @example(value=["halima"])
    @example(value={"halima": 1})
    @pytest.mark.parametrize("name", ["send", "share"])
    def test_a_bad_username_is_named(self, client, program, pathway, name, value):
        body = {"username": value, "pathway_id": pathway.pk}
        answer = post(client, reverse(f"credit_pathways:{name}", args=[program.uuid]), body)
        assert answer.status_code in {400, 403}
        assert "username" in answer.content.decode() or "JSON parse error" in answer.content.decode()

    @fuzz
    @given(body=st.binary(max_size=60))
    @example(body=b"")
    @example(body=b"{")
    @example(body=b"\xff\xfe")
    @example(body=b"[" * 100_000)
    @example(body=b'{"a":' * 100_000)
    @example(body=b'{"username": "halima", "pathway_id": ' + b"9" * 5000 + b"}")
    @example(body=b'{"username": "halima", "pathway_id": NaN}')
    @pytest.mark.parametrize("name", ["send", "share"])
    def test_invalid_json(self, client, program, pathway, name, body):
        answer = post(client, reverse(f"credit_pathways:{name}", args=[program.uuid]), body)
        assert answer.status_code == 400
        assert answer.json()

    @pytest.mark.parametrize("charset", ["utf-16", "rot13", "base64", "nonsense", ""])
    def test_a_charset_changes_nothing(self, client, send_url, charset):
        answer = client.generic("POST", send_url, b'{"username": 1.5}', f"application/json; charset={charset}")
        assert (answer.status_code, list(answer.json())) == (400, ["pathway_id"])

    def test_nothing_is_written(self, client, send_url):
        post(client, send_url, {"username": "halima"})
        assert not UserCreditPathway.objects.exists()


INDEX = reverse_lazy("credit_pathways:index")
PATHS = [f"programs/{{}}/{name}" for name in ("", "request-credit", "send", "share", "revoke", "share-link")]
PATHS += ["programs/shared/{}/", "programs/shared/{}/csv", "api/v1/program_records/{}/"]


@pytest.mark.parametrize("path", PATHS)
@fuzz
@given(uuid=TEXT | st.uuids().map(str) | st.uuids().map(lambda value: value.hex))
def test_ids_in_paths(client, path, uuid):
    quoted = "".join(f"%{byte:02x}" for byte in uuid.encode("utf-8", "surrogatepass"))
    for method in (client.get, client.post):
        answer = method(f"{INDEX}{path.format(quoted)}", follow=False)
        # A path without its id may be another URL's; a path without its slash is redirected.
        assert answer.status_code in {301, 400, 403, 404, 405, 415}


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options", "trace", "generic"])
def test_methods(client, program, pathway, learner, method):
    shared = factories.ProgramCertRecordFactory(user=learner, program=program)
    for path in [*PATHS, "", "api/v1/program_records/", "api/v1/credit_requests/"]:
        for uuid in (program.uuid, shared.uuid):
            url = f"{INDEX}{path.format(uuid)}"
            answer = client.generic("BREW", url) if method == "generic" else getattr(client, method)(url)
            assert answer.status_code < 500


DETAIL = st.sampled_from(["is_public", "format", "x"])


@fuzz
@given(query=st.dictionaries(DETAIL, TEXT, max_size=3))
@example(query={"is_public": "banana"})
@example(query={"is_public": ""})
@example(query={"is_public": "\x00"})
def test_the_query_of_a_record(client, program, query):
    query = {name: value.encode("utf-8", "surrogatepass") for name, value in query.items()}
    answer = client.get(reverse("credit_pathways:api-records-detail", args=[program.uuid]), query)
    assert answer.status_code in {200, 400, 404}
    if answer.status_code == 400:
        assert list(answer.json()) == ["is_public"]


def cursor(position):
    """Return a forged pagination cursor."""
    return base64.b64encode(urlencode({"p": position}).encode()).decode()


FILTERS = ["program", "pathway", "status", "user", "created_after", "created_before", "cursor", "page_size", "format"]
DATES = st.datetimes().map(str) | st.dates().map(str) | st.text(string.digits + "-:TZ+. ", max_size=30)


@fuzz
@given(query=st.dictionaries(st.sampled_from(FILTERS), TEXT | DATES | st.integers().map(str), max_size=4))
@example(query={"created_after": "0001-01-01T00:00:00+23:59"})
@example(query={"created_after": "9999-12-31T23:59:59-23:59"})
@example(query={"created_before": "0001-01-01"})
@example(query={"created_before": "2026-13-45"})
@example(query={"pathway": "9" * 400})
@example(query={"pathway": "1e999999999"})
@example(query={"pathway": "NaN"})
@example(query={"pathway": "-0"})
@example(query={"pathway": "1.5"})
@example(query={"user": "\x00"})
@example(query={"program": "x" * 32})
@example(query={"cursor": "eA=="})
@example(query={"cursor": cursor("abc")})
@example(query={"cursor": cursor("")})
@example(query={"cursor": cursor("1.5")})
@example(query={"cursor": cursor("²")})
@example(query={"cursor": cursor("9" * 30)})
@example(query={"cursor": cursor("\x00")})
@example(query={"cursor": cursor("7") + "&r=1"})
def test_the_query_of_the_list(client, learner, query, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    factories.UserCreditPathwayFactory(user=learner)
    query = {name: value.encode("utf-8", "surrogatepass") for name, value in query.items()}
    answer = client.get(reverse("credit_pathways:api-credit-requests-list"), query)
    assert answer.status_code in {200, 400, 404}
    if answer.status_code == 400:
        assert set(answer.json()) <= query.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("program", "x"),
        ("pathway", "x"),
        ("pathway", "0"),
        ("pathway", str(2**63)),
        ("status", "lost"),
        ("created_after", "yesterday"),
        ("created_before", "0001-01-01T00:00:00Z"),
    ],
)
def test_a_bad_filter_is_named(client, name, value):
    answer = client.get(reverse("credit_pathways:api-credit-requests-list"), {name: value})
    assert (answer.status_code, list(answer.json())) == (400, [name])


@fuzz
@given(values=st.lists(TEXT | st.integers().map(str), max_size=4))
def test_the_form(client, program, pathway, values):
    encoded = [value.encode("utf-8", "surrogatepass") for value in values]
    answer = client.post(reverse("credit_pathways:request_credit", args=[program.uuid]), {"pathway": encoded})
    assert answer.status_code in {302, 400}
    if answer.status_code == 400:
        assert answer.content.startswith(b"pathway: ")
