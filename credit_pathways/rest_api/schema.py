"""The error responses in the OpenAPI schema. None of the endpoints returns any other."""

from collections.abc import Callable, Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers


class ErrorSerializer(serializers.Serializer[Any]):
    """Why there is no other response."""

    detail = serializers.CharField()


#: Messages by the name of the field; in ``detail`` if the body is not JSON.
INVALID = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "additionalProperties": {"type": "array", "items": {"type": "string"}},
}

ERRORS = {
    400: OpenApiResponse(INVALID, "Malformed or missing fields, with messages for each, or a body that is not JSON."),
    401: OpenApiResponse(
        ErrorSerializer, "Not logged in, if the host's authentication has a challenge. Otherwise 403."
    ),
    403: OpenApiResponse(ErrorSerializer, "Not logged in, or not permitted."),
    404: OpenApiResponse(ErrorSerializer, "Not found, or not on this site."),
    406: OpenApiResponse(ErrorSerializer, "The Accept header excludes JSON."),
    415: OpenApiResponse(ErrorSerializer, "The body is not declared as JSON."),
    429: OpenApiResponse(ErrorSerializer, "Too many requests by this user."),
}

#: They depend on the host and on the headers of the request, and so may be the response of every endpoint.
ANYWHERE = (401, 403, 404, 406)

HEADERS = [
    OpenApiParameter(name, kind, OpenApiParameter.HEADER, required=True, description=description, response=[status])
    for status, name, kind, description in (
        (401, "WWW-Authenticate", str, "How to log in."),
        (429, "Retry-After", int, "Seconds to wait."),
    )
]


def operation(
    responses: Mapping[int, Any], *, errors: tuple[int, ...] = (), parameters: tuple[Any, ...] = (), **options: Any
) -> Callable[[Any], Any]:
    """Return ``extend_schema`` with ``responses``, those that every endpoint has, and ``errors``."""
    described = {status: ERRORS[status] for status in sorted({*ANYWHERE, *errors})}
    return extend_schema(responses={**responses, **described}, parameters=[*parameters, *HEADERS], **options)
