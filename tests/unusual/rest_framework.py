"""What this host's own JSON endpoints do differently."""

from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import exception_handler


class AlwaysThrottle(BaseThrottle):
    """Throttles everybody at once."""

    def allow_request(self, request: Request, view: Any) -> bool:
        return False


class HtmlOnly(DefaultContentNegotiation):
    """Finds no renderer but one for HTML."""

    def filter_renderers(self, renderers: Any, format: str) -> list[Any]:  # noqa: A002
        return [renderer for renderer in renderers if renderer.format == "api"]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return super().select_renderer(request, renderers, format_suffix or "api")


def handle_exception(error: Exception, context: Any) -> Response | None:
    """Return every error as status 400, with a body of its own."""
    response = exception_handler(error, context)
    return response and Response({"errors": [str(error)]}, status=400)
