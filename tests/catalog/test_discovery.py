"""``sync_catalog --url``: every page of Discovery's API is read, or nothing is changed."""

import builtins
import io
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from credit_pathways.catalog import discovery
from credit_pathways.models import Pathway, Program
from tests import factories
from tests.support import discovery_server

pytestmark = [
    pytest.mark.django_db,
    # Open edX's client calls a deprecated function.
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]


@pytest.fixture
def service(settings):
    """A Discovery service with five programs and three pathways, two per page."""
    with discovery_server.serve() as service:
        service.items["programs"] = [
            {
                "uuid": str(uuid4()), "title": f"Program {number}", "type": "MicroMasters", "status": "active",
                "authoring_organizations": [{"name": "Northfield"}], "curricula": [{"uuid": "ignored"}],
            }
            for number in range(5)
        ]  # fmt: skip
        service.items["pathways"] = [
            {
                "uuid": str(uuid4()), "name": f"Pathway {number}", "org_name": "Northfield", "email": "r@n.example",
                "pathway_type": "credit", "status": "published",
                "programs": [{"uuid": program["uuid"]} for program in service.items["programs"]],
            }
            for number in range(3)
        ]  # fmt: skip
        settings.BACKEND_SERVICE_EDX_OAUTH2_PROVIDER_URL = f"{service.address}/oauth2"
        settings.BACKEND_SERVICE_EDX_OAUTH2_KEY = discovery_server.KEY
        settings.BACKEND_SERVICE_EDX_OAUTH2_SECRET = discovery_server.SECRET
        yield service


def sync(service, path="", **options):
    """Run the command and return its output."""
    out = io.StringIO()
    call_command("sync_catalog", url=f"{service.address}{path}", stdout=out, stderr=out, **options)
    return out.getvalue()


@pytest.mark.parametrize("path", ["", "/", "/api/v1", "/api/v1/"])
def test_every_page_is_read(service, path):
    sync(service, path)
    assert [program.title for program in Program.objects.order_by("title")] == [f"Program {n}" for n in range(5)]
    assert [pathway.programs.count() for pathway in Pathway.objects.all()] == [5, 5, 5]
    assert [url.split("?")[0] for url in service.requested_urls] == ["/api/v1/programs/"] * 3 + [
        "/api/v1/pathways/"
    ] * 2


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_shows_progress_bars(service, monkeypatch, is_terminal):
    screen = io.StringIO()
    screen.isatty = lambda: is_terminal
    monkeypatch.setattr("sys.stderr", screen)
    sync(service)
    shown = [name in screen.getvalue() for name in ("reading programs: 5", "reading pathways: 3", "programs: 100%")]
    assert shown == [is_terminal] * 3


def test_one_token_is_requested(service):
    sync(service)
    assert service.issued_tokens == 1


def test_a_second_run_changes_nothing(service):
    sync(service)
    assert sync(service) == "0 changes.\n"


def test_a_dry_run_changes_nothing(service):
    assert "not made (dry run)" in sync(service, dry_run=True)
    assert not Program.objects.exists()


def test_missing_items_are_retired(service):
    sync(service)
    del service.items["programs"][0], service.items["pathways"][1:]
    sync(service)
    assert Program.objects.get(title="Program 0").status == "retired"
    assert Pathway.objects.filter(status="published").count() == 1


def test_an_empty_catalog(service):
    service.items = {"programs": [], "pathways": []}
    assert sync(service) == "0 changes.\n"


def test_an_empty_catalog_next_to_programs_that_are_managed_here(service):
    factories.ProgramFactory()
    service.items = {"programs": [], "pathways": []}
    assert sync(service) == "0 changes.\n"
    assert Program.objects.get().status == "active"


def test_a_client_that_sees_no_programs_retires_none(service):
    sync(service)
    service.items = {"programs": [], "pathways": []}
    with pytest.raises(CommandError, match=r"There are no programs, so .* Check"):
        sync(service)
    assert Program.objects.filter(status="active").count() == 5


def test_items_without_a_uuid_are_reported_and_the_others_are_copied(service):
    for item in service.items["programs"][:2]:
        del item["uuid"]
    with pytest.raises(CommandError, match="problems"):
        sync(service)
    assert Program.objects.count() == 3


def test_a_malformed_token(service):
    service.token = {"access_token": discovery_server.TOKEN, "expires_in": "1e400"}
    with pytest.raises(CommandError, match="Nothing was changed"):
        sync(service)


def test_an_unavailable_cache(service, settings):
    """In which the client keeps its token."""
    settings.CACHES = {"default": {"BACKEND": "tests.unusual.cache.UnavailableCache"}}
    with pytest.raises(CommandError, match=r"Nothing was changed.*the cache is unavailable"):
        sync(service)


@pytest.mark.parametrize("root", ["http://[::1", "http://[x]/api/v1"])
def test_an_address_that_is_none(root, service, settings):
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("sync_catalog", url=root)


def test_requests_have_a_timeout():
    assert all(seconds > 0 for seconds in discovery.TIMEOUT)


#: An item on the first page of programs and of pathways.
FIRST = {"uuid": "5c2f3b1e-1111-4222-8333-444455556666"}

SHORTER_CATALOG = {"count": 9, "next": None, "results": []}

FAILURES = {
    "503": (discovery_server.respond_503, "503 Server Error"),
    "a cut connection": (discovery_server.close_connection, "programs/"),
    "no response": (discovery_server.hang, "timed out"),
    "not JSON": (discovery_server.respond_html, "programs/"),
    "not a page": (discovery_server.respond_with({"detail": "what?"}), "not a page"),
    "a list": (discovery_server.respond_with([]), "programs/"),
    "next is not an address": (discovery_server.respond_with({"results": [], "next": 5}), "programs/"),
    "next is an invalid address": (discovery_server.respond_with({"results": [], "next": "http://["}), "programs/"),
    "results are not a list": (discovery_server.respond_with({"results": {"a": 1}}), "not a page"),
    "fewer items than counted": (discovery_server.respond_with(SHORTER_CATALOG), "run the command again"),
    "an endless sequence of pages": (
        discovery_server.respond_with({"count": 5, "next": "https://elsewhere.example/?page=2", "results": []}),
        "repeated or missing",
    ),
    "an item of the previous page": (
        lambda handler: discovery_server.respond(handler, {"count": 5, "next": None, "results": [FIRST]}),
        "repeated or missing",
    ),
    "next has no page number": (
        discovery_server.respond_with({"results": [], "next": "https://n.example/"}),
        "not a page",
    ),
    "deeply nested JSON": (discovery_server.respond_nested_json, "programs/"),
    "no permission": (discovery_server.respond_with({}, 403), "403 Client Error"),
}


@pytest.mark.parametrize("kind", ["programs", "pathways"])
@pytest.mark.parametrize(("failure", "text"), FAILURES.values(), ids=FAILURES)
def test_a_failure_half_way_changes_nothing(service, monkeypatch, kind, failure, text):
    program = factories.ProgramFactory(title="Old", is_synced=True)
    factories.PathwayFactory(name="Old", is_synced=True, programs=[program])
    monkeypatch.setattr(discovery, "TIMEOUT", (1, 1))
    service.items[kind][0]["uuid"] = FIRST["uuid"]
    service.failures[kind, 2] = failure
    with pytest.raises(CommandError) as raised:
        sync(service)
    assert str(raised.value).startswith("Nothing was changed, because the catalog could not be read: http")
    assert text.replace("programs", kind) in str(raised.value)
    assert discovery_server.SECRET not in str(raised.value)
    assert [(row.title, row.status) for row in Program.objects.all()] == [("Old", "active")]
    assert [(row.name, row.status) for row in Pathway.objects.all()] == [("Old", "published")]


def test_the_token_is_sent_only_to_discovery(service):
    """Its pages link to an internal host, which cannot be reached and is not requested."""
    assert "internal.invalid" in service.page("programs", 1)["next"]
    sync(service)
    assert Program.objects.count() == 5


def test_a_client_that_the_lms_rejects(service, settings):
    settings.BACKEND_SERVICE_EDX_OAUTH2_SECRET = "wrong"
    with pytest.raises(CommandError, match="401 Client Error"):
        sync(service)


def test_an_address_that_refuses_connections(service, settings):
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("sync_catalog", url="http://127.0.0.1:1/")


@pytest.mark.parametrize("address", ["discovery.example.com", "nonsense", ""])
def test_an_invalid_address(service, address):
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("sync_catalog", url=address)


def test_missing_settings_are_reported(service, settings):
    del settings.BACKEND_SERVICE_EDX_OAUTH2_KEY
    settings.BACKEND_SERVICE_EDX_OAUTH2_SECRET = ""
    with pytest.raises(CommandError, match=r"missing: \w+_KEY, \w+_SECRET"):
        sync(service)


def test_the_extra_is_not_installed(service, monkeypatch):
    original = builtins.__import__

    def import_(name, *args, **kwargs):
        if name.startswith("edx_rest_api_client"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", import_)
    with pytest.raises(CommandError, match=r"credit-pathways\[discovery\]"):
        sync(service)
