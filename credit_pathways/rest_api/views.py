"""The JSON endpoints. Each parses, calls the api, and answers; who the user is, the host's classes say."""

from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.decorators import method_decorator
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.generics import ListAPIView
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .. import api
from ..decorators import unlisted_and_uncached
from ..links import public_record_url
from ..models import Learner, Pathway, UserCreditPathway
from ..records import ProgramRecord
from ..shortcuts import current_site, program_or_404, public_record_or_404, record_or_404
from ..throttling import RequestRateThrottle
from . import serializers
from .filters import CreditRequestFilter, is_datetime
from .parsers import BoundedJSONParser
from .serializers import prepared


class JSONView(APIView):
    """JSON in, JSON out, for a logged-in user, about that user."""

    parser_classes = (BoundedJSONParser,)
    renderer_classes = (JSONRenderer,)
    permission_classes = (IsAuthenticated,)


def _check_username(request: Request, username: str) -> None:
    """Raise ``PermissionDenied`` if ``username`` is not that of the user who asks, staff or not (ADR 0005)."""
    if username != request.user.get_username():
        raise PermissionDenied("Only the learner can do this: username is not yours.")


def _check_query(request: Request) -> None:
    """Refuse Credentials' ``?username=``, by which staff read somebody's record; theirs would be taken for it."""
    if username := request.query_params.get("username"):
        _check_username(request, username)


class OwnRecordView(JSONView):
    """A POST that names its user, who has to be the one who makes it, staff or not (ADR 0005)."""

    throttle_classes = (RequestRateThrottle,)
    serializer_class = serializers.ShareSerializer

    def read(self, request: Request) -> dict[str, Any]:
        """Return the validated body; 400 with each bad field named, 403 if it names another user."""
        body = self.serializer_class(data=request.data)
        body.is_valid(raise_exception=True)
        _check_username(request, body.validated_data["username"])
        return body.validated_data


# Not in a transaction of ATOMIC_REQUESTS: the answer says what became of the mail, which leaves after commit.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class SendView(OwnRecordView):
    """Request credit along one pathway."""

    serializer_class = serializers.SendSerializer

    @extend_schema(
        operation_id="send",
        responses={
            status.outcome.http_status: OpenApiResponse(
                serializers.SentSerializer, description=f"The request is {status.value}."
            )
            for status in UserCreditPathway.Status
        },
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Record the request, send its email, and say whether it left."""
        pathway = Pathway(pk=self.read(request)["pathway_id"])
        program = program_or_404(request, uuid)
        try:
            [sent] = api.request_credit(user=request.user, program=program, pathways=[pathway])
        except api.NotRequestable:
            raise NotFound("You cannot request credit along this pathway_id for this program.") from None
        data = prepared(serializers.SentSerializer).to_representation(sent)
        answer = Response(data, status=UserCreditPathway.Status(sent.status).outcome.http_status)
        # Delivery has logged what there is to log. Django would mail the administrators, with the learner's username.
        answer._has_been_logged = True  # type: ignore[attr-defined]
        return answer


class ShareView(OwnRecordView):
    """Share a program record."""

    @extend_schema(
        operation_id="share", responses={200: serializers.SharedSerializer, 201: serializers.SharedSerializer}
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Return the public link: 201 if it is new, 200 if the record was shared already."""
        self.read(request)
        record = record_or_404(request, uuid)
        shared = record.shared_record or api.share_record(user=record.user, program=record.program)
        url = public_record_url(record.program.site, shared)
        return Response({"url": url}, status=200 if record.shared_record else 201)


class ProgramRecordListView(JSONView):
    """The learner's program records."""

    @extend_schema(operation_id="program_records_list", responses=serializers.ProgramListSerializer)
    def get(self, request: Request) -> Response:
        """Return them in the record source's order."""
        _check_query(request)
        records = api.program_records(user=request.user, site=current_site(request))
        return Response(prepared(serializers.ProgramListSerializer).to_representation({"enrolled_programs": records}))


@method_decorator(unlisted_and_uncached, name="dispatch")
class ProgramRecordDetailView(JSONView):
    """A program record: the learner's own, or with ``?is_public=true`` the one that a public link opens."""

    @cached_property
    def is_public(self) -> bool:
        """What the query string says; 400 if that is no boolean."""
        return prepared(serializers.RecordQuerySerializer).run_validation(self.request.query_params)["is_public"]

    def get_permissions(self) -> list[BasePermission]:
        """Ask for a login unless the record is public."""
        return [AllowAny() if self.is_public else IsAuthenticated()]

    @extend_schema(
        operation_id="program_records_retrieve",
        parameters=[serializers.RecordQuerySerializer],
        responses=serializers.ProgramRecordSerializer,
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """Return the record in the shape that the Learner Record front end reads."""
        if not self.is_public:
            _check_query(request)
        record = public_record_or_404(request, uuid) if self.is_public else record_or_404(request, uuid)
        data = {
            "record": _public_data(record) if self.is_public else _own_data(record),
            "is_public": self.is_public,
            "uuid": uuid,
            "records_help_url": record.site_configuration.records_help_url,
        }
        return Response(prepared(serializers.ProgramRecordSerializer).to_representation(data))


def _public_data(record: ProgramRecord) -> dict[str, Any]:
    """Return what anybody who has the link may see: no username, no email, no other institutions."""
    return {
        "learner": {"full_name": record.full_name, "username": "", "email": ""},
        "program": record,
        "platform_name": record.platform_name,
        "grades": record.progress.courses,
        "pathways": [],
        "shared_program_record_uuid": record.shared_record and record.shared_record.uuid,
    }


def _own_data(record: ProgramRecord) -> dict[str, Any]:
    """Return what the learner may see."""
    username = record.user.get_username()
    return {
        **_public_data(record),
        "learner": {"full_name": record.full_name, "username": username, "email": record.email},
        "pathways": api.requestable_pathways(program=record.program).values(*serializers.PathwaySerializer.COLUMNS),
    }


class CreditRequestPagination(CursorPagination):
    """Newest first; by indexes, with any filter as fast on the last page as on the first (ADR 0013)."""

    ordering = ("-created", "-id")
    page_size = 100

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Read the cursor; 404, as for any bad cursor, where its position is no moment."""
        cursor = super().decode_cursor(request)
        if cursor and cursor.position is not None and not is_datetime(cursor.position):
            raise NotFound(self.invalid_cursor_message)
        return cursor


class CreditRequestListView(JSONView, ListAPIView[UserCreditPathway]):
    """The learner's own credit requests; everybody's for staff who may view them."""

    serializer_class = serializers.CreditRequestSerializer
    pagination_class = CreditRequestPagination
    filter_backends = (DjangoFilterBackend,)
    filterset_class = CreditRequestFilter
    # Not joined: MySQL may begin a join with the users, and sort all rows.
    queryset = UserCreditPathway.objects.prefetch_related("user", "pathway", "program")

    def get_queryset(self) -> QuerySet[UserCreditPathway]:
        """Return the rows that the user may see."""
        requests = super().get_queryset()
        user: Learner = self.request.user
        if user.is_staff and user.has_perm("credit_pathways.view_usercreditpathway"):
            return requests
        return requests.filter(user=user)
