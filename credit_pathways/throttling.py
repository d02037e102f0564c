"""The flood guard: how often a user may request or share. It counts in the cache, not in the database (ADR 0003)."""

from math import ceil

from django.http import HttpRequest
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from . import conf


class RequestRateThrottle(UserRateThrottle):
    """Limits each user to ``CREDIT_PATHWAYS_REQUEST_RATE``, across every way of requesting or sharing."""

    scope = "credit_pathways"

    def get_rate(self) -> str | None:
        return conf.request_rate()

    def wait(self) -> float:
        """Return the seconds to wait: the whole period if the rate was lowered below what was already counted."""
        seconds = super().wait()
        return self.duration if seconds is None else seconds  # type: ignore[attr-defined]


def seconds_to_wait(request: HttpRequest) -> int:
    """Count a request by this user, and return 0 if it is allowed, otherwise the seconds until the next one is."""
    throttle = RequestRateThrottle()
    if throttle.allow_request(request, APIView()):  # type: ignore[arg-type]  # it only reads request.user
        return 0
    return max(1, ceil(throttle.wait()))
