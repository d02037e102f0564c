"""The catalog of the Discovery service, read from its API (extra ``credit-pathways[discovery]``)."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.contrib.sites.models import Site

from .. import conf
from . import Catalog, CatalogError

OPTION = (
    "--url",
    {
        "metavar": "DISCOVERY_API_ROOT",
        "help": "The address of Discovery or of its API. Needs credit-pathways[discovery] and the settings "
        "BACKEND_SERVICE_EDX_OAUTH2_PROVIDER_URL, _KEY and _SECRET.",
    },
)

#: Seconds to wait for a connection, and between two parts of a response.
TIMEOUT = (5, 60)

#: Items requested per page.
PAGE_SIZE = 100


class _Page(NamedTuple):
    items: list[Any]
    #: The number of items on all pages, if the response has it.
    total: int | None
    #: The query string of the next page; empty on the last one. The rest of that page's address is not used: behind a
    #: proxy, it may have another scheme or host, and the token is meant for this one only.
    next_query: str


def read_catalog(root: str, site: Site) -> Catalog:
    """Return the programs and pathways that Discovery at ``root`` shows to this service, page by page."""
    client = _client()
    return Catalog(_items(client, root, "programs"), _items(client, root, "pathways"))


def _items(client: Any, root: str, kind: str) -> Iterator[Any]:
    """Yield the items on every page of ``kind``; raise ``CatalogError`` if the catalog changes in the meantime."""
    url, query = f"{_api_root(root)}/{kind}/", f"page=1&page_size={PAGE_SIZE}"
    received, seen, queries = 0, set[str](), set[str]()
    while query:
        queries.add(query)
        page = _get_page(client, f"{url}?{query}")
        uuids = [str(item["uuid"]) for item in page.items if isinstance(item, dict) and item.get("uuid")]
        is_repeated = len(seen.union(uuids)) < len(seen) + len(uuids)
        if is_repeated or page.next_query in queries or (page.next_query and not page.items):
            raise CatalogError(f"{url}?{query}: an item is repeated or missing; run the command again")
        yield from page.items
        received += len(page.items)
        seen.update(uuids)
        query = page.next_query
    if page.total not in (None, received):
        raise CatalogError(f"{url}: received {received} of {page.total} {kind}; run the command again")


def _api_root(root: str) -> str:
    root = root.rstrip("/")
    try:
        return root if urlsplit(root).path else f"{root}/api/v1"
    except ValueError as error:
        raise CatalogError(f"{root}: {error}") from error


def _client() -> Any:
    """Return an HTTP client with an OAuth token from the LMS (client credentials, RFC 6749, section 4.4)."""
    try:
        from edx_rest_api_client.client import OAuthAPIClient
    except ImportError:
        raise CatalogError("--url needs more packages: pip install credit-pathways[discovery]") from None
    values = conf.oauth_client()
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise CatalogError(f"these settings are missing: {', '.join(missing)}")
    return OAuthAPIClient(*values.values())


def _get_page(client: Any, url: str) -> _Page:
    try:
        response = client.get(url, timeout=TIMEOUT)
        response.raise_for_status()
        data = response.json()
        page = _Page(data.get("results"), data.get("count"), urlsplit(data.get("next") or "").query)
    except Exception as error:  # of HTTP, of a malformed page or token, or of the cache in which the client keeps it
        raise CatalogError(f"{url}: {str(error) or type(error).__name__}") from error
    if not isinstance(page.items, list) or (data.get("next") and not page.next_query):
        raise CatalogError(f"{url}: not a page of Discovery's API")
    return page
