"""The JSON endpoints. The host configures authentication (``DEFAULT_AUTHENTICATION_CLASSES``)."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import OpenApiResponse, extend_schema_view
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.metadata import SimpleMetadata
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView, exception_handler

from .. import api, database
from ..decorators import non_atomic_requests, unlisted_and_uncached
from ..links import public_record_url
from ..models import Pathway, ProgramCertRecord, UserCreditPathway
from ..records import ProgramRecord
from ..shortcuts import (
    get_learner_or_404,
    get_program_or_404,
    get_public_record_or_404,
    get_record_or_404,
    get_site_or_404,
)
from ..throttling import RequestRateThrottle
from ..users import Learner, has_permission
from ..users import username as user_name
from . import serializers
from .filters import CreditRequestFilter
from .pagination import CreditRequestPagination
from .parsers import BoundedJSONParser
from .schema import operation

Status = UserCreditPathway.Status


@method_decorator(never_cache, name="dispatch")
class JSONView(APIView):
    """
    Accepts and returns only JSON, and requires a login.

    Except for authentication, the host's settings of Django REST framework do not apply.
    """

    parser_classes = (BoundedJSONParser,)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = DefaultContentNegotiation
    metadata_class = SimpleMetadata
    throttle_classes: tuple[Any, ...] = ()
    versioning_class = None
    #: Open edX's middleware adds a permission that rejects tokens of restricted applications.
    permission_classes: tuple[Any, ...] = (IsAuthenticated,)

    def get_exception_handler(self) -> Any:
        return exception_handler

    def check_username(self, username: str) -> None:
        """Raise ``PermissionDenied`` if ``username`` is not the requesting user's, even for staff (ADR 0005)."""
        if username != user_name(self.request.user):
            raise PermissionDenied("Only the learner can do this: username is not yours.")

    def check_username_parameter(self) -> None:
        """
        Check ``?username=``, with which Credentials lets staff read a learner's record.

        If it were ignored, staff would get their own record and take it for the learner's.
        """
        if username := self.request.query_params.get("username"):
            self.check_username(username)


def validated_body(request: Request, serializer_class: type[Serializer[Any]]) -> dict[str, Any]:
    """Return the fields of the body, or raise ``ValidationError``."""
    if not isinstance(request.data, dict):
        # Under this key, whatever the host's NON_FIELD_ERRORS_KEY is.
        raise ValidationError({"non_field_errors": ["Invalid data. Expected a JSON object."]})
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


@method_decorator(non_atomic_requests, name="dispatch")
class JSONActionView(JSONView):
    """Something learners do about their own records. The body names the learner."""

    throttle_classes = (RequestRateThrottle,)
    serializer_class = serializers.ShareSerializer

    def check_throttles(self, request: Request) -> None:
        """Count nothing yet: only well-formed POSTs count (ADR 0003)."""

    def get_validated_data(self) -> dict[str, Any]:
        """
        Return the body's fields, and count the request.

        Raises:
            ValidationError: a field is missing or malformed.
            PermissionDenied: the username is another user's.
            Throttled: there were too many requests.
        """
        data = validated_body(self.request, self.serializer_class)
        self.check_username(data["username"])
        super().check_throttles(self.request)
        return data


class SendView(JSONActionView):
    """Request credit through one pathway."""

    serializer_class = serializers.SendSerializer

    @operation(
        {
            status.message.http_status: OpenApiResponse(serializers.SentSerializer, f"Recorded as {status}.")
            for status in Status
        },
        errors=(400, 415, 429),
        operation_id="send",
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Record a credit request, send its email, and return whether it was sent."""
        pathway = Pathway(pk=self.get_validated_data()["pathway_id"])
        program = get_program_or_404(request, uuid)
        try:
            [credit_request] = api.request_credit(user=request.user, program=program, pathways=[pathway])
        except api.NotRequestable:
            raise NotFound("You cannot request credit through this pathway_id for this program.") from None
        data = serializers.SentSerializer(credit_request).data
        response = Response(data, status=Status(credit_request.status).message.http_status)
        # The failure is logged already. Django would log a 502 as an error and email the learner's username to ADMINS.
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response


class ShareView(JSONActionView):
    """Share a program record."""

    @operation(
        {200: serializers.SharedSerializer, 201: serializers.SharedSerializer},
        errors=(400, 415, 429),
        operation_id="share",
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Return the public link, with status 201 if it was created now and 200 if the record was already shared."""
        self.get_validated_data()
        record = get_record_or_404(request, uuid)
        shared_record = record.shared_record or _share(record)
        url = public_record_url(record.program.site, shared_record)
        return Response({"url": url}, status=200 if record.shared_record else 201)


def _share(record: ProgramRecord) -> ProgramCertRecord:
    try:
        return api.share_record(user=record.user, program=record.program)
    except ProgramCertRecord.DoesNotExist:
        raise NotFound("You cannot share this record.") from None


class ProgramRecordListView(JSONView):
    """The learner's program records."""

    @operation({200: serializers.ProgramListSerializer}, operation_id="program_records_list")
    def get(self, request: Request) -> Response:
        """Return the learner's program records."""
        self.check_username_parameter()
        records = api.program_records(user=request.user, site=get_site_or_404(request))
        return Response(serializers.ProgramListSerializer({"enrolled_programs": records}).data)


@method_decorator(unlisted_and_uncached, name="dispatch")
class ProgramRecordDetailView(JSONView):
    """A program record: the learner's own or, with ``?is_public=true``, a shared one."""

    @cached_property
    def is_public(self) -> bool:
        """Whether the uuid is a shared program record's. Raises ``ValidationError``."""
        query = serializers.RecordQuerySerializer(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        return query.validated_data["is_public"]

    def get_permissions(self) -> Sequence[Any]:
        # drf-spectacular sets swagger_fake_view: the schema says that the login is optional.
        is_open = getattr(self, "swagger_fake_view", False) or self.is_public
        return [AllowAny()] if is_open else super().get_permissions()

    @operation(
        {200: serializers.ProgramRecordSerializer},
        errors=(400,),
        operation_id="program_records_retrieve",
        parameters=(serializers.RecordQuerySerializer,),
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """Return the record in the shape that the Learner Record front end expects."""
        if self.is_public:
            record = get_public_record_or_404(request, uuid)
            contents = _public_contents(record)
        else:
            self.check_username_parameter()
            record = get_record_or_404(request, uuid)
            contents = _own_contents(record)
        data = {
            "record": contents,
            "is_public": self.is_public,
            "uuid": uuid,
            "records_help_url": record.site_configuration.records_help_url,
        }
        return Response(serializers.program_record_serializer().to_representation(data))


def _public_contents(record: ProgramRecord) -> dict[str, Any]:
    """Return what anyone with the link may see: no username, no email address, no pathways (ADR 0010)."""
    return {
        "learner": {"full_name": record.learner_name, "username": "", "email": ""},
        "program": record,
        "platform_name": record.platform_name,
        "grades": record.progress.courses,
        "pathways": [],
        "shared_program_record_uuid": record.shared_record and record.shared_record.uuid,
    }


def _own_contents(record: ProgramRecord) -> dict[str, Any]:
    username = user_name(record.user)
    return {
        **_public_contents(record),
        "learner": {"full_name": record.learner_name, "username": username, "email": record.email},
        "pathways": api.requestable_pathways(program=record.program),
    }


@extend_schema_view(
    get=operation(
        {200: serializers.CreditRequestSerializer(many=True)}, errors=(400,), operation_id="credit_requests_list"
    )
)
class CreditRequestListView(JSONView, ListAPIView[UserCreditPathway]):
    """The learner's own credit requests, or everyone's for staff with the permission to view them."""

    serializer_class = serializers.CreditRequestSerializer
    pagination_class = CreditRequestPagination
    filter_backends = (DjangoFilterBackend,)
    filterset_class = CreditRequestFilter
    # Not select_related: MySQL might start the join at the users, and then sort all rows.
    queryset = UserCreditPathway.objects.prefetch_related("user", "pathway", "program")

    def get_queryset(self) -> QuerySet[UserCreditPathway]:
        user: Learner = self.request.user
        if getattr(user, "is_staff", False) and has_permission(user, "view_usercreditpathway"):
            return super().get_queryset()
        users = Prefetch("user", database.primary(user._meta.base_manager.all()))
        return api.credit_requests(user=user).prefetch_related(users)


class MayRetireLearners(BasePermission):
    """Requires the permission ``credit_pathways.retire_learner``."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return has_permission(request.user, "retire_learner")


@method_decorator(non_atomic_requests, name="dispatch")
class RetireLearnerView(JSONView):
    """For the retirement pipeline of Open edX, before it replaces the username."""

    permission_classes = (IsAuthenticated, MayRetireLearners)

    @operation({204: None}, errors=(400, 415), operation_id="retire_learner", request=serializers.RetireSerializer)
    def post(self, request: Request) -> Response:
        """Withdraw all of a learner's public links, and mark pending requests as failed."""
        data = validated_body(request, serializers.RetireSerializer)
        api.retire_learner(user=get_learner_or_404(data["username"]))
        return Response(status=204)
