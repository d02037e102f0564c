"""The action *Deliver again*: it asks first, and says for each request what became of it (ADR 0008)."""

import logging
import time
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from .. import api
from ..models import ProgramCertRecord, UserCreditPathway
from .learner_rows import is_key

log = logging.getLogger(__name__)

Status = UserCreditPathway.Status

#: How many can be chosen at one time: those of one page.
AT_ONCE = 100
#: Seconds after which no further mail is begun: a web server gives up a request that takes longer than some 30.
PATIENCE = 15


def urls(model_admin: Any) -> list[URLPattern]:
    """Return the address of the page that asks, and delivers."""

    # Each mail leaves after its own commit, also in a host with ATOMIC_REQUESTS.
    @transaction.non_atomic_requests
    @require_http_methods(["GET", "POST"])
    def view(request: HttpRequest) -> HttpResponse:
        return _view(model_admin, request)

    wrapped = model_admin.admin_site.admin_view(view)
    return [path("deliver-again/", wrapped, name="credit_pathways_usercreditpathway_deliver_again")]


def ask(model_admin: Any, request: HttpRequest, chosen: QuerySet[UserCreditPathway]) -> HttpResponse | None:
    """Go to the page that asks about the chosen requests; stay, and say so, if there are too many."""
    keys = list(chosen.values_list("pk", flat=True)[: AT_ONCE + 1])
    if len(keys) <= AT_ONCE:
        url = reverse("admin:credit_pathways_usercreditpathway_deliver_again")
        query = urlencode([*(("id", key) for key in keys), ("filters", request.GET.urlencode())])
        return HttpResponseRedirect(f"{url}?{query}")
    text = _("Choose %(number)s requests at most. For all that are pending there is manage.py deliver_pending.")
    model_admin.message_user(request, text % {"number": AT_ONCE}, messages.ERROR)
    return None


def _view(model_admin: Any, request: HttpRequest) -> HttpResponse:
    if not (model_admin.has_deliver_permission(request) and model_admin.has_view_permission(request)):
        raise PermissionDenied
    data = request.POST if request.method == "POST" else request.GET
    keys = [int(key) for key in data.getlist("id") if is_key(key)]
    filters = QueryDict(request.GET.get("filters", ""))
    back = reverse("admin:credit_pathways_usercreditpathway_changelist", query=filters)
    if request.method == "POST":
        _deliver_all(model_admin, request, keys)
        return HttpResponseRedirect(back)
    rows = _rows().filter(pk__in=keys)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Deliver again?"),
        "back": back,
        "deliverable": [row for row in rows if not _refusal(row)],
        "refused": [(row, _refusal(row)) for row in rows if _refusal(row)],
    }
    return TemplateResponse(request, "credit_pathways/admin/deliver_again.html", context)


def _rows() -> QuerySet[UserCreditPathway]:
    """Return the requests, each with whether its record is shared now."""
    shared = ProgramCertRecord.objects.filter(user=OuterRef("user"), program=OuterRef("program"))
    rows = UserCreditPathway.objects.with_imported().annotate(is_shared=Exists(shared))
    return rows.select_related("user", "pathway", "program__site").order_by("pk")


def _refusal(row: Any) -> str:
    """Return why nobody can deliver the request; nothing: one can try (``UserCreditPathwayQuerySet.deliverable``)."""
    if row.status == Status.SENT:
        return _("it was sent already.")
    if row.program_id is None:
        return _("its program is not recorded.")
    if row.is_imported:
        return _("it was made in Credentials' own records, and imported. Its learner can ask again.")
    if not row.is_shared:
        return _("its learner does not share the record any more. Only the learner can share it again.")
    return "" if row.pathway.email else _("its pathway has no email address.")


def _deliver_all(model_admin: Any, request: HttpRequest, keys: list[int]) -> None:
    """Deliver one after the other, as long as patience lasts, and say for each what happened."""
    end = time.monotonic() + PATIENCE
    for key in keys:
        if time.monotonic() > end:
            level, outcome = messages.WARNING, _("not tried: the mail server is slow. Choose it again.")
        else:
            level, outcome = _deliver(model_admin, request, key)
        text = _("Request %(number)s: %(outcome)s") % {"number": key, "outcome": outcome}
        model_admin.message_user(request, text, level)


def _deliver(model_admin: Any, request: HttpRequest, key: int) -> tuple[int, str]:
    """Deliver a request as it is now: others may have delivered, or deleted, it meanwhile."""
    row = _rows().filter(pk=key).first()
    if row is None:
        return messages.WARNING, _("it is gone.")
    if refusal := _refusal(row):
        return messages.WARNING, _("not delivered: %(reason)s") % {"reason": refusal}
    try:
        status = api.deliver(row)
    except Exception as error:  # noqa: BLE001  the host's record source, the database; the others still get their turn
        log.warning("credit request %s: %s", key, type(error).__name__)
        status = Status.FAILED
    if status == Status.PENDING:
        return messages.WARNING, _("it is being delivered by somebody else just now.")
    model_admin.log_change(request, row, f"Deliver again: {status.value}")
    if status == Status.SENT:
        return messages.SUCCESS, _("the email left.")
    return messages.ERROR, _("the email did not leave. Try again later; the log says why.")
