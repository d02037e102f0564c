"""The flood guard: how often one user may request or share. It counts in the cache, not in the rows (ADR 0003)."""

from math import ceil

from django.http import HttpRequest
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from . import conf


class RequestRateThrottle(UserRateThrottle):
    """At most ``CREDIT_PATHWAYS_REQUEST_RATE`` for each user, over every way of requesting or sharing together."""

    scope = "credit_pathways"

    def get_rate(self) -> str | None:
        """Read the rate when it is used."""
        return conf.request_rate()

    def wait(self) -> float:
        """Return the seconds until another is allowed; the whole period where the rate was lowered meanwhile."""
        seconds = super().wait()
        return self.duration if seconds is None else seconds  # type: ignore[attr-defined]


def seconds_to_wait(request: HttpRequest) -> int:
    """Count one request of this user; return 0, or the seconds until another is allowed if it was one too many."""
    throttle = RequestRateThrottle()
    if throttle.allow_request(request, APIView()):  # type: ignore[arg-type]  # reads no more than request.user
        return 0
    return max(1, ceil(throttle.wait()))
