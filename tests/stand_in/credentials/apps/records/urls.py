"""Two of the paths that are the app's, too; their uuids have no hyphens."""

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path


def answer(request: HttpRequest, **kwargs: str) -> HttpResponse:
    return HttpResponse("Credentials' own")


urlpatterns = [
    path("", answer, name="index"),
    re_path(r"^programs/(?P<uuid>[0-9a-f]{32})/$", answer, name="private_programs"),
]
