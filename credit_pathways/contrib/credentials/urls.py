"""
Credentials' URLs, with the plug-in in place of its own records app. Operators switch by naming it in ``ROOT_URLCONF``.

Both apps serve ``records/``. After the switch, Credentials' own must not respond to any spelling of a path, because it
would open withdrawn links and show what the plug-in does not (ADR 0016).
"""

from typing import Any

from credentials.urls import handler500
from credentials.urls import urlpatterns as credentials_urlpatterns
from django.urls import URLResolver
from django.urls.exceptions import Resolver404

__all__ = ["handler500", "urlpatterns"]


class ReverseOnlyResolver(URLResolver):
    """URLs that can still be reversed, as Credentials' emails do, but that match no path."""

    @classmethod
    def from_resolver(cls, resolver: URLResolver) -> "ReverseOnlyResolver":
        return cls(
            resolver.pattern, resolver.urlconf_name, resolver.default_kwargs, resolver.app_name, resolver.namespace
        )

    def resolve(self, path: str) -> Any:
        raise Resolver404({"path": path, "tried": []})


urlpatterns = [
    ReverseOnlyResolver.from_resolver(url) if isinstance(url, URLResolver) and url.namespace == "records" else url
    for url in credentials_urlpatterns
]
