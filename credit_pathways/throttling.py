"""The flood guard: how often a user may request or share. It counts in the cache, not in the database (ADR 0003)."""

import logging
import time
from math import ceil

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from . import conf

log = logging.getLogger(__name__)


class RequestRateThrottle(UserRateThrottle):
    """
    Limits each user to ``CREDIT_PATHWAYS_REQUEST_RATE``, across every way of requesting or sharing.

    Make one for each HTTP request, because it asks an unavailable cache only once, and then lets the learner through.
    """

    scope = "credit_pathways"

    #: How long the cache may take in total. Some clients wait for their timeout without an error.
    seconds_left = 2.0

    def get_rate(self) -> str | None:
        return conf.request_rate()

    def allow_request(self, request: Request, view: APIView) -> bool:
        if self.seconds_left <= 0:
            return True
        started = time.monotonic()
        try:
            return super().allow_request(request, view)
        except Exception as error:  # noqa: BLE001  each backend has its own errors, and any value may be in its cache
            log.warning("flood guard: the cache is unavailable: %s", type(error).__name__)
            self.seconds_left = 0
            return True
        finally:
            self.seconds_left -= time.monotonic() - started

    def wait(self) -> float:
        """Return the seconds to wait: the whole period if the rate was lowered below what was already counted."""
        seconds = super().wait()
        return self.duration if seconds is None else seconds  # type: ignore[attr-defined]

    def seconds_to_wait(self, request: HttpRequest) -> int:
        """Count a request by this user, and return 0 if it is allowed, otherwise the seconds until the next one is."""
        if self.allow_request(request, APIView()):  # type: ignore[arg-type]  # it only reads request.user
            return 0
        return max(1, ceil(self.wait()))
