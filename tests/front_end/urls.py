"""The demo's URLs, the built front end at ``learner-record/``, and the two Open edX endpoints that it calls."""

import base64
import json
import time
from typing import Any

from csp.decorators import csp_exempt
from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.static import serve

from demo.urls import urlpatterns as demo_urls

COOKIE = "edx-jwt-cookie-header-payload"


def token(request: HttpRequest) -> JsonResponse:
    """Return the CSRF token, like Credentials (edx-drf-extensions)."""
    return JsonResponse({"csrfToken": get_token(request)})


def _encoded(data: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")


@csrf_exempt
def login_refresh(request: HttpRequest) -> HttpResponse:
    """Set the JWT cookie that scripts can read, like the LMS. 401 for anonymous users."""
    if not request.user.is_authenticated:
        return JsonResponse({}, status=401)
    user = {"preferred_username": request.user.username, "user_id": request.user.pk, "email": request.user.email}
    payload = {**user, "name": request.user.get_full_name(), "administrator": False, "exp": int(time.time()) + 3600}
    response = JsonResponse({"response_epoch_seconds": int(time.time())})
    response.set_cookie(COOKIE, f"{_encoded({'alg': 'none'})}.{_encoded(payload)}")
    return response


@csp_exempt()
def learner_record(request: HttpRequest, route: str = "") -> HttpResponse | FileResponse:
    """Serve a file of the front end, or its index page for any of its routes."""
    is_file = (settings.LEARNER_RECORD_DIST / route).is_file()
    return serve(request, route if is_file else "index.html", document_root=settings.LEARNER_RECORD_DIST)


urlpatterns = [
    path("csrf/api/v1/token", token),
    path("login_refresh", login_refresh),
    path("learner-record/", learner_record),
    path("learner-record/<path:route>", learner_record),
    *demo_urls,
]
