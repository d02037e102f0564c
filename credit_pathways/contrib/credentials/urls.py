"""
Credentials' URLs with the plug-in in the place of its own records app; ``ROOT_URLCONF`` names this to switch over.

Both are at ``records/``. Credentials' own records app must not answer any more, in whatever way a path is written: it
would open links that are withdrawn, and show what they no longer show (ADR 0016).
"""

from typing import Any

from credentials.urls import handler500
from credentials.urls import urlpatterns as of_credentials
from django.urls import URLResolver
from django.urls.exceptions import Resolver404

__all__ = ["handler500", "urlpatterns"]


class NamesOnly(URLResolver):
    """URLs that have names still, for Credentials' mails, but lead nowhere."""

    @classmethod
    def of(cls, url: URLResolver) -> "NamesOnly":
        """Return the same URLs in this way."""
        return cls(url.pattern, url.urlconf_name, url.default_kwargs, url.app_name, url.namespace)

    def resolve(self, path: str) -> Any:
        """Raise ``Resolver404``."""
        raise Resolver404({"path": path, "tried": []})


urlpatterns = [
    NamesOnly.of(url) if isinstance(url, URLResolver) and url.namespace == "records" else url for url in of_credentials
]
