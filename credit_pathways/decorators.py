"""View decorators."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import connections, transaction
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache


def non_atomic_requests(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """
    Run a view that writes without ``ATOMIC_REQUESTS``, whichever database it is set for.

    The response can then say whether an email was sent, which happens after commit, and the app can try again when
    another transaction gets in its way.
    """
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


def unlisted_and_uncached(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """
    Protect a page for the holders of a link: no search engine lists it, no cache or ``Referer`` header contains it.

    A cached copy would survive the withdrawal of the link.
    """

    @wraps(view)
    def with_headers(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        response["X-Robots-Tag"] = "noindex, nofollow"
        response["Referrer-Policy"] = "no-referrer"
        return response

    return never_cache(with_headers)
