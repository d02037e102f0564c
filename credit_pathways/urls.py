"""Where everything is; a host mounts this, by convention at ``records/``."""

from uuid import UUID

from django.urls import path, register_converter

from . import views
from .rest_api import views as rest_views

app_name = "credit_pathways"


class AnyUUIDConverter:
    """A uuid with or without hyphens, in either case; made with hyphens (RFC 9562, section 4)."""

    regex = "[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"

    def to_python(self, value: str) -> UUID:
        """Parse it."""
        return UUID(value)

    def to_url(self, value: UUID | str) -> str:
        """Write it with hyphens."""
        return str(UUID(str(value)))


register_converter(AnyUUIDConverter, "credit_pathways_uuid")
PROGRAM = "programs/<credit_pathways_uuid:uuid>/"
SHARED = "programs/shared/<credit_pathways_uuid:uuid>/"
API = "api/v1/"

urlpatterns = [
    path("", views.IndexView.as_view(), name="index"),
    path("credit-requests/", views.CreditRequestsView.as_view(), name="credit_requests"),
    path(PROGRAM, views.ProgramRecordView.as_view(), name="program_record"),
    path(f"{PROGRAM}request-credit", views.RequestCreditView.as_view(), name="request_credit"),
    path(f"{PROGRAM}share-link", views.ShareLinkView.as_view(), name="share_link"),
    path(f"{PROGRAM}revoke", views.RevokeView.as_view(), name="revoke"),
    path(f"{PROGRAM}send", rest_views.SendView.as_view(), name="send"),
    path(f"{PROGRAM}share", rest_views.ShareView.as_view(), name="share"),
    path(SHARED, views.PublicRecordView.as_view(), name="public_record"),
    path(f"{SHARED}csv", views.PublicRecordCsvView.as_view(), name="public_record_csv"),
    path(f"{API}program_records/", rest_views.ProgramRecordListView.as_view(), name="api-records-list"),
    path(
        f"{API}program_records/<credit_pathways_uuid:uuid>/",
        rest_views.ProgramRecordDetailView.as_view(),
        name="api-records-detail",
    ),
    path(f"{API}credit_requests/", rest_views.CreditRequestListView.as_view(), name="api-credit-requests-list"),
]
