"""Reading a catalog from the API of the Discovery service (extra ``credit-pathways[discovery]``)."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from .. import conf

#: Seconds to connect, and to wait for the next bytes of an answer.
TIMEOUT = (5, 60)

PAGE_SIZE = 100

#: What an answer that is no page, or no token, brings about, beside errors of HTTP.
ERRORS = (ValueError, TypeError, AttributeError, RecursionError, OverflowError)


class DiscoveryError(Exception):
    """The catalog could not be read to its end."""


def items(root: str, kind: str) -> Iterator[Any]:
    """
    Give the items of every page of ``kind``, ``"programs"`` or ``"pathways"``.

    ``root`` is the address of Discovery, or that of its API if it ends otherwise than in ``/api/v1/``. Curricula are
    not read: pathways belong to programs.

    Raises:
        DiscoveryError: an answer is late, is cut, is an error, or is no page; or the catalog changed meanwhile.
    """
    client, url = _client(), f"{_api_root(root)}/{kind}/"
    query, read = f"page=1&page_size={PAGE_SIZE}", 0
    seen: set[str] = set()
    while query:
        page = _page(client, f"{url}?{query}")
        uuids = [str(item["uuid"]) for item in page["results"] if isinstance(item, dict) and item.get("uuid")]
        if len(seen) + len(uuids) > len(seen.union(uuids)) or (page["query"] and not page["results"]):
            raise DiscoveryError(f"{url}?{query}: an item came twice, or none; run it again")
        seen.update(uuids)
        read += len(page["results"])
        yield from page["results"]
        query = page["query"]
    if page.get("count", read) != read:
        raise DiscoveryError(f"{url}: {read} {kind} came, but there are {page['count']}; run it again")


def _api_root(root: str) -> str:
    root = root.rstrip("/")
    return root if urlsplit(root).path else f"{root}/api/v1"


def _client() -> Any:
    """Return an HTTP client that has an OAuth token from the LMS (client credentials, RFC 6749, section 4.4)."""
    try:
        from edx_rest_api_client.client import OAuthAPIClient
    except ImportError:
        raise DiscoveryError("needs more packages: pip install credit-pathways[discovery]") from None
    values = conf.oauth_client()
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise DiscoveryError(f"these settings are missing: {', '.join(missing)}")
    return OAuthAPIClient(*values.values())


def _page(client: Any, url: str) -> dict[str, Any]:
    """
    Return the page at ``url``: its ``results``, the ``count`` of all items, the ``query`` of the next page.

    The query alone, if there is a next page: behind a proxy that page's address may have another scheme or host, and
    the token is for this one.
    """
    import requests

    try:
        answer = client.get(url, timeout=TIMEOUT)
        answer.raise_for_status()
        page = answer.json()
        page["query"] = urlsplit(page.get("next") or "").query
    except (*ERRORS, requests.RequestException) as error:
        raise DiscoveryError(f"{url}: {error or type(error).__name__}") from error
    if not isinstance(page.get("results"), list) or (page.get("next") and not page["query"]):
        raise DiscoveryError(f"{url}: is no page of Discovery's API")
    return page
