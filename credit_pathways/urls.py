"""URL configuration, which a host includes, by convention at ``records/``."""

from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.urls import path, register_converter
from django.views.generic import RedirectView

from . import views
from .rest_api import views as rest_views

app_name = "credit_pathways"


class AnyUUIDConverter:
    """Accepts a UUID with or without hyphens, in either case. Writes it like Credentials, without."""

    regex = "[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"

    def to_python(self, value: str) -> UUID:
        return UUID(value)

    def to_url(self, value: UUID | str) -> str:
        return UUID(str(value)).hex


register_converter(AnyUUIDConverter, "credit_pathways_uuid")
UUID_PATH = "<credit_pathways_uuid:uuid>/"
PROGRAM = f"programs/{UUID_PATH}"
SHARED = f"programs/shared/{UUID_PATH}"
API = "api/v1/"
RECORDS = f"{API}program_records/"

urlpatterns = [
    path("", views.IndexView.as_view(), name="index"),
    path("credit-requests/", views.CreditRequestsView.as_view(), name="credit_requests"),
    path("credit-requests/<int:id>/", views.CreditRequestView.as_view(), name="credit_request"),
    path(PROGRAM, views.ProgramRecordView.as_view(), name="program_record"),
    path(f"{PROGRAM}request-credit", views.RequestCreditView.as_view(), name="request_credit"),
    path(f"{PROGRAM}share-link", views.ShareLinkView.as_view(), name="share_link"),
    path(f"{PROGRAM}revoke", views.RevokeView.as_view(), name="revoke"),
    path(f"{PROGRAM}send", rest_views.SendView.as_view(), name="send"),
    path(f"{PROGRAM}share", rest_views.ShareView.as_view(), name="share"),
    path(SHARED, views.PublicRecordView.as_view(), name="public_record"),
    # The link that the Learner Record front end lets learners copy.
    path(SHARED.rstrip("/"), login_not_required(RedirectView.as_view(pattern_name="credit_pathways:public_record"))),
    path(f"{SHARED}csv", views.PublicRecordCsvView.as_view(), name="public_record_csv"),
    path(RECORDS, rest_views.ProgramRecordListView.as_view(), name="api-records-list"),
    path(f"{RECORDS}{UUID_PATH}", rest_views.ProgramRecordDetailView.as_view(), name="api-records-detail"),
    path(f"{API}credit_requests/", rest_views.CreditRequestListView.as_view(), name="api-credit-requests-list"),
    path(f"{API}retire_learner/", rest_views.RetireLearnerView.as_view(), name="api-retire-learner"),
]
