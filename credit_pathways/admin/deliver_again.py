"""The action *Deliver again*: it asks first, and says for each request what became of it (ADR 0008)."""

import logging
import time
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from .. import api
from ..models import MAX_ID, UserCreditPathway

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
        return HttpResponseRedirect(f"{url}?{urlencode([('id', key) for key in keys])}")
    text = _("Choose %(number)s requests at most. For all that are pending there is manage.py deliver_pending.")
    model_admin.message_user(request, text % {"number": AT_ONCE}, messages.ERROR)
    return None


def _view(model_admin: Any, request: HttpRequest) -> HttpResponse:
    if not (model_admin.has_deliver_permission(request) and model_admin.has_view_permission(request)):
        raise PermissionDenied
    data = request.POST if request.method == "POST" else request.GET
    keys = [int(key) for key in data.getlist("id")[:AT_ONCE] if key.isdecimal() and int(key) <= MAX_ID]
    found = UserCreditPathway.objects.filter(pk__in=keys).order_by("pk")
    chosen = list(found.prefetch_related("user", "pathway", "program__site"))
    if request.method == "POST":
        _deliver_all(model_admin, request, chosen)
        return HttpResponseRedirect(reverse("admin:credit_pathways_usercreditpathway_changelist"))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Deliver again?"),
        "opts": model_admin.opts,
        "deliverable": [row for row in chosen if not _refusal(row)],
        "refused": [(row, _refusal(row)) for row in chosen if _refusal(row)],
    }
    return TemplateResponse(request, "credit_pathways/admin/deliver_again.html", context)


def _refusal(row: UserCreditPathway) -> str:
    """Return why the request is not delivered; nothing: it is (``UserCreditPathwayQuerySet.deliverable``)."""
    if row.status == Status.SENT:
        return _("it was sent already.")
    return "" if row.program_id else _("its program is not recorded.")


def _deliver_all(model_admin: Any, request: HttpRequest, chosen: list[UserCreditPathway]) -> None:
    """Deliver one after the other, as long as patience lasts, and say for each what happened."""
    end = time.monotonic() + PATIENCE
    for row in chosen:
        if refusal := _refusal(row):
            level, outcome = messages.WARNING, _("not delivered: %(reason)s") % {"reason": refusal}
        elif time.monotonic() > end:
            level, outcome = messages.WARNING, _("not tried: the mail server is slow. Choose it again.")
        else:
            level, outcome = _deliver(row)
            model_admin.log_change(request, row, f"Deliver again: {outcome}")
        text = _("Request %(number)s: %(outcome)s") % {"number": row.pk, "outcome": outcome}
        model_admin.message_user(request, text, level)


def _deliver(row: UserCreditPathway) -> tuple[int, str]:
    try:
        status = api.deliver(row)
    except Exception as error:  # noqa: BLE001  the host's record source, the database; the others still get their turn
        log.warning("credit request %s: %s", row.pk, type(error).__name__)
        status = None
    if status == Status.SENT:
        return messages.SUCCESS, _("the email left.")
    if status == Status.PENDING:
        return messages.WARNING, _("it is being delivered by somebody else just now.")
    return messages.ERROR, _("the email did not leave. Try again later; the log says why.")
