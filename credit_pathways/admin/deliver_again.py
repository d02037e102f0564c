"""The action *Deliver again*: it asks for confirmation, and reports the outcome of each request (ADR 0008)."""

import logging
import time
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import close_old_connections
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from .. import api, database
from ..delivery import learner_emails, sending
from ..models import ProgramCertRecord, UserCreditPathway
from .links import page_url

log = logging.getLogger(__name__)

Status = UserCreditPathway.Status

#: The maximum number of requests that can be chosen at once.
MAX_REQUESTS_PER_ACTION = 100


def redirect_to_confirmation(
    request: HttpRequest, model_admin: Any, chosen: QuerySet[UserCreditPathway]
) -> HttpResponse | None:
    """Redirect to the confirmation page, or add an error message to the list if too many requests were chosen."""
    ids = list(chosen.values_list("pk", flat=True)[: MAX_REQUESTS_PER_ACTION + 1])
    if len(ids) <= MAX_REQUESTS_PER_ACTION:
        query = {"id": ids, "filters": request.GET.urlencode()}
        url = page_url(model_admin.admin_site, UserCreditPathway, "deliver_again", query=query)
        return HttpResponseRedirect(url)
    text = _("Choose %(number)s requests at most. For all that are pending there is manage.py deliver_pending.")
    model_admin.message_user(request, text % {"number": MAX_REQUESTS_PER_ACTION}, messages.ERROR)
    return None


@require_http_methods(["GET", "POST"])
def confirmation_view(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """Ask for confirmation (GET), or deliver the requests (POST)."""
    if not (model_admin.has_deliver_permission(request) and model_admin.has_view_permission(request)):
        raise PermissionDenied
    data = request.POST if request.method == "POST" else request.GET
    ids = [int(value) for value in data.getlist("id") if database.is_id(value)]
    filters = QueryDict(request.GET.get("filters", ""))
    back = page_url(model_admin.admin_site, UserCreditPathway, "changelist", query=filters)
    if request.method == "POST":
        _deliver_all(request, model_admin, ids)
        return HttpResponseRedirect(back)
    reasons = [(row, _reason_not_deliverable(row)) for row in _requests().filter(pk__in=ids)]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Deliver again?"),
        "back": back,
        "deliverable": [row for row, reason in reasons if not reason],
        "refused": [(row, reason) for row, reason in reasons if reason],
    }
    return TemplateResponse(request, "credit_pathways/admin/deliver_again.html", context)


def _requests() -> QuerySet[UserCreditPathway]:
    shared = ProgramCertRecord.objects.filter(user=OuterRef("user"), program=OuterRef("program"))
    requests = UserCreditPathway.objects.with_imported().annotate(is_shared=Exists(shared))
    return database.primary(requests).select_related("user", "pathway", "program__site").order_by("pk")


def _reason_not_deliverable(row: Any) -> str:
    """Return why the request cannot be delivered, or ``""``. See also ``UserCreditPathwayQuerySet.deliverable``."""
    if row.status == Status.SENT:
        return _("it was sent already.")
    if row.program_id is None:
        return _("its program is not recorded.")
    if row.is_imported:
        return _("it was made in Credentials' own records, and imported. Its learner can ask again.")
    if not row.user.is_active:
        return _("its learner's account is inactive.")
    if not row.is_shared:
        return _("its learner does not share the record any more. Only the learner can share it again.")
    return "" if row.pathway.email else _("its pathway has no email address.")


def _deliver_all(request: HttpRequest, model_admin: Any, ids: list[int]) -> None:
    """Deliver the requests one after the other until the time is up, and add a message for each."""
    if not ids:
        model_admin.message_user(request, _("None of the chosen requests can be delivered again."), messages.WARNING)
    deadline = time.monotonic() + sending.MAX_DELIVERY_SECONDS
    with learner_emails.held_back(deadline):
        for pk in ids:
            if time.monotonic() > deadline:
                level, outcome = messages.WARNING, _("not tried: the mail server is slow. Choose it again.")
            else:
                level, outcome = _deliver(request, model_admin, pk)
            text = _("Request %(number)s: %(outcome)s") % {"number": pk, "outcome": outcome}
            model_admin.message_user(request, text, level)


def _deliver(request: HttpRequest, model_admin: Any, pk: int) -> tuple[int, str]:
    """Deliver a request, and return the level and text of its message. Whatever goes wrong must not affect others."""
    try:
        return _deliver_row(request, model_admin, pk)
    except Exception as error:  # noqa: BLE001  of the database
        log.warning("credit request %s: %s", pk, type(error).__name__)
        close_old_connections()
        return messages.ERROR, f"{_(sending.NOT_SENT)} ({type(error).__name__})."


def _deliver_row(request: HttpRequest, model_admin: Any, pk: int) -> tuple[int, str]:
    row = _requests().filter(pk=pk).first()  # read again: it may have been delivered or deleted in the meantime
    if row is None:
        return messages.WARNING, _("it is gone.")
    if reason := _reason_not_deliverable(row):
        return messages.WARNING, _("not delivered: %(reason)s") % {"reason": reason}
    status = api.deliver(row)
    if status == Status.PENDING:
        return messages.WARNING, _("it is being delivered by somebody else just now.")
    _log_change(request, model_admin, row, status)
    if status == Status.SENT:
        return messages.SUCCESS, _("the email left.")
    return messages.ERROR, f"{row.failure_label}."


def _log_change(request: HttpRequest, model_admin: Any, row: UserCreditPathway, status: Status) -> None:
    """Add a line to the request's history. An error does not change what became of the email."""
    try:
        model_admin.log_change(request, row, f"Deliver again: {status.value}")
    except Exception as error:  # noqa: BLE001  of the database, or of a host's receiver
        log.warning("credit request %s: not in the history: %s", row.pk, type(error).__name__)
        close_old_connections()
