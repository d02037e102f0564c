"""Two paths that ``credit_pathways`` also has. Their uuids have no hyphens."""

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path


def respond(request: HttpRequest, **kwargs: str) -> HttpResponse:
    return HttpResponse("Credentials' own")


urlpatterns = [
    path("", respond, name="index"),
    re_path(r"^programs/(?P<uuid>[0-9a-f]{32})/$", respond, name="private_programs"),
]
