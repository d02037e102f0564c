"""What a web server does, and Django's test client does not."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase


def remove_script_name(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Remove the script name from ``PATH_INFO``, in which the test client leaves the whole path."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        request.path_info = request.path_info.removeprefix(settings.FORCE_SCRIPT_NAME)
        request.path = f"{settings.FORCE_SCRIPT_NAME}{request.path_info}"
        return get_response(request)

    return middleware
