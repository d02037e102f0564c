"""``sync_catalog --url``: Discovery's API, page after page, or nothing at all."""

import builtins
import io
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command, get_commands

from credit_pathways.catalog import discovery
from credit_pathways.models import Pathway, Program
from tests import factories
from tests.support import discovery_server

pytestmark = [
    pytest.mark.django_db,
    # Open edX's client tells the time in the old way.
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]


@pytest.fixture
def service(settings):
    """A Discovery service with five programs and three pathways, two on a page."""
    with discovery_server.serve() as service:
        service.items["programs"] = [
            {
                "uuid": str(uuid4()), "title": f"Program {number}", "type": "MicroMasters", "status": "active",
                "authoring_organizations": [{"name": "Northfield"}], "curricula": [{"uuid": "not read"}],
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
    """Run the command; return what it said."""
    out = io.StringIO()
    call_command("sync_catalog", url=f"{service.address}{path}", stdout=out, stderr=out, **options)
    return out.getvalue()


@pytest.mark.parametrize("path", ["", "/", "/api/v1", "/api/v1/"])
def test_every_page_is_read(service, path):
    sync(service, path)
    assert [program.title for program in Program.objects.order_by("title")] == [f"Program {n}" for n in range(5)]
    assert [pathway.programs.count() for pathway in Pathway.objects.all()] == [5, 5, 5]
    assert [url.split("?")[0] for url in service.asked] == ["/api/v1/programs/"] * 3 + ["/api/v1/pathways/"] * 2


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_shows_how_far_it_is(service, monkeypatch, is_terminal):
    screen = io.StringIO()
    screen.isatty = lambda: is_terminal
    monkeypatch.setattr("sys.stderr", screen)
    sync(service)
    shown = [name in screen.getvalue() for name in ("reading programs: 5", "reading pathways: 3", "programs: 100%")]
    assert shown == [is_terminal] * 3


def test_one_token_is_enough(service):
    sync(service)
    assert service.tokens == 1


def test_again_nothing_changes(service):
    sync(service)
    assert sync(service) == "0 changes.\n"


def test_a_dry_run_changes_nothing(service):
    assert "not made (dry run)" in sync(service, dry_run=True)
    assert not Program.objects.exists()


def test_what_is_gone_is_retired(service):
    sync(service)
    del service.items["programs"][0], service.items["pathways"][1:]
    sync(service)
    assert Program.objects.get(title="Program 0").status == "retired"
    assert Pathway.objects.filter(status="published").count() == 1


def test_an_empty_catalog(service):
    service.items = {"programs": [], "pathways": []}
    assert sync(service) == "0 changes.\n"


def test_a_client_that_may_see_no_programs_retires_none(service):
    sync(service)
    service.items = {"programs": [], "pathways": []}
    with pytest.raises(CommandError, match=r"shows no programs\. Check"):
        sync(service)
    assert Program.objects.filter(status="active").count() == 5


def test_an_item_without_a_uuid_is_named_and_the_others_are_read(service):
    for item in service.items["programs"][:2]:
        del item["uuid"]
    with pytest.raises(CommandError, match="problems"):
        sync(service)
    assert Program.objects.count() == 3


def test_a_token_that_is_none(service):
    service.token = {"access_token": discovery_server.TOKEN, "expires_in": "1e400"}
    with pytest.raises(CommandError, match="Nothing was changed"):
        sync(service)


def test_nobody_waits_for_ever():
    assert all(seconds > 0 for seconds in discovery.TIMEOUT)


#: An item of the first page of either kind.
FIRST = {"uuid": "5c2f3b1e-1111-4222-8333-444455556666"}

CHANGED = {"count": 9, "next": None, "results": []}

FAILURES = {
    "503": (discovery_server.fails, "503 Server Error"),
    "a cut connection": (discovery_server.cuts, "programs/"),
    "no answer": (discovery_server.hangs, "timed out"),
    "not JSON": (discovery_server.babbles, "programs/"),
    "no page": (discovery_server.says({"detail": "what?"}), "is no page"),
    "a list": (discovery_server.says([]), "programs/"),
    "no address of the next": (discovery_server.says({"results": [], "next": 5}), "programs/"),
    "a bad address of the next": (discovery_server.says({"results": [], "next": "http://["}), "programs/"),
    "no list": (discovery_server.says({"results": {"a": 1}}), "is no page"),
    "fewer than announced": (discovery_server.says(CHANGED), "run it again"),
    "a page for ever": (
        discovery_server.says({"count": 5, "next": "https://elsewhere.example/?page=2", "results": []}),
        "came twice, or none",
    ),
    "an item of the page before": (
        lambda handler: discovery_server.answer(handler, {"count": 5, "next": None, "results": [FIRST]}),
        "came twice, or none",
    ),
    "a next page without a number": (
        discovery_server.says({"results": [], "next": "https://n.example/"}),
        "is no page",
    ),
    "JSON without end": (discovery_server.nests, "programs/"),
    "no permission": (discovery_server.says({}, 403), "403 Client Error"),
}


@pytest.mark.parametrize("kind", ["programs", "pathways"])
@pytest.mark.parametrize(("failure", "text"), FAILURES.values(), ids=FAILURES)
def test_a_failure_half_way_leaves_the_catalog_as_it_was(service, monkeypatch, kind, failure, text):
    factories.PathwayFactory(name="Old", programs=[factories.ProgramFactory(title="Old")])
    monkeypatch.setattr(discovery, "TIMEOUT", (1, 1))
    service.items[kind][0]["uuid"] = FIRST["uuid"]
    service.instead[kind, 2] = failure
    with pytest.raises(CommandError) as raised:
        sync(service)
    assert str(raised.value).startswith("Nothing was changed, for Discovery could not be read. http")
    assert text.replace("programs", kind) in str(raised.value)
    assert discovery_server.SECRET not in str(raised.value)
    assert [(row.title, row.status) for row in Program.objects.all()] == [("Old", "active")]
    assert [(row.name, row.status) for row in Pathway.objects.all()] == [("Old", "published")]


def test_the_token_goes_to_discovery_alone(service):
    """Its pages name an internal host, which cannot be reached and is not asked."""
    assert "internal.invalid" in service.page("programs", 1)["next"]
    sync(service)
    assert Program.objects.count() == 5


def test_a_client_that_the_lms_does_not_know(service, settings):
    settings.BACKEND_SERVICE_EDX_OAUTH2_SECRET = "wrong"
    with pytest.raises(CommandError, match="401 Client Error"):
        sync(service)


def test_nobody_at_that_address(service, settings):
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("sync_catalog", url="http://127.0.0.1:1/")


@pytest.mark.parametrize("address", ["discovery.example.com", "nonsense"])
def test_what_is_no_address(service, address):
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("sync_catalog", url=address)


def test_missing_settings_are_named(service, settings):
    del settings.BACKEND_SERVICE_EDX_OAUTH2_KEY
    settings.BACKEND_SERVICE_EDX_OAUTH2_SECRET = ""
    with pytest.raises(CommandError, match=r"missing: \w+_KEY, \w+_SECRET"):
        sync(service)


def test_the_extra_is_named(service, monkeypatch):
    """As if it were not installed."""
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name.startswith("edx_rest_api_client"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(CommandError, match=r"credit-pathways\[discovery\]"):
        sync(service)


@pytest.mark.parametrize("options", [[], ["--url=http://a.example", "--from-credentials"]], ids=len)
def test_the_catalog_comes_from_one_place(options):
    with pytest.raises(CommandError, match=r"required|not allowed"):
        call_command("sync_catalog", *options)


class TestAnotherHost:
    """A host that is not Credentials, and so has only the core app."""

    @pytest.fixture(autouse=True)
    def _other_host(self, settings):
        settings.INSTALLED_APPS = [
            app for app in settings.INSTALLED_APPS if app != "credit_pathways.contrib.credentials"
        ]
        get_commands.cache_clear()
        yield
        get_commands.cache_clear()

    def test_there_is_no_catalog_of_credentials(self):
        with pytest.raises(CommandError, match="not Open edX Credentials"):
            call_command("sync_catalog", from_credentials=True)

    def test_there_is_no_import_command(self):
        assert "sync_catalog" in get_commands()
        assert "import_credentials_requests" not in get_commands()
