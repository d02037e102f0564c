"""The pages. They work without JavaScript; each view parses, calls the api, and answers."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.defaultfilters import slugify
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView, View

from . import api, conf
from .headers import unlisted
from .links import public_record_url
from .lookups import current_site, program_or_404, public_record_or_404, record_or_404
from .models import MAX_ID, Pathway, UserCreditPathway
from .record_csv import record_csv
from .throttling import seconds_to_wait

Status = UserCreditPathway.Status

#: What a learner is told of a request, for each status.
SAID = {
    Status.SENT: (messages.SUCCESS, _lazy("%(pathway)s: your request was sent to %(institution)s.")),
    Status.PENDING: (
        messages.INFO,
        _lazy("%(pathway)s: your request to %(institution)s is recorded. Its email has not left yet."),
    ),
    Status.FAILED: (
        messages.ERROR,
        _lazy("%(pathway)s: your request could not be sent to %(institution)s. Please try again: choose it below."),
    ),
}

#: The same, of a request that a worker will send.
QUEUED = _lazy(
    "%(pathway)s: your request is recorded. Its email to %(institution)s waits to be sent; "
    "you need not do anything more."
)


class IndexView(LoginRequiredMixin, TemplateView):
    """My programs."""

    template_name = "credit_pathways/index.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the learner's program records."""
        records = api.program_records(user=self.request.user, site=current_site(self.request))
        return super().get_context_data(records=records, messages=messages.get_messages(self.request), **kwargs)


@method_decorator(never_cache, name="dispatch")
class ProgramRecordView(LoginRequiredMixin, TemplateView):
    """The Program Record page: the record, whom the learner can ask for credit, and the public link."""

    template_name = "credit_pathways/program_record.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the record, the requestable pathways, and the public link if there is one."""
        record = record_or_404(self.request, kwargs["uuid"])
        shared = record.shared_record
        return super().get_context_data(
            record=record,
            messages=messages.get_messages(self.request),
            pathways=api.requestable_pathways(program=record.program),
            public_url=shared and public_record_url(record.program.site, shared),
            **kwargs,
        )


class LearnerAction(LoginRequiredMixin, View):
    """A form of the page: do it, leave a message for each thing that happened, go back to the page."""

    http_method_names = ("post", "options")

    def handle_no_permission(self) -> HttpResponseRedirect:
        """Log in, then go to the page: the form cannot be sent again by itself."""
        return redirect_to_login(reverse("credit_pathways:program_record", kwargs=self.kwargs), self.get_login_url())

    def back(self, uuid: UUID) -> HttpResponse:
        """Return to the Program Record page, which shows the messages."""
        return redirect("credit_pathways:program_record", uuid=uuid)


# Not in a transaction of ATOMIC_REQUESTS: the messages say what became of the mails, which leave after commit.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class RequestCreditView(LearnerAction):
    """Request credit along the pathways that are ticked."""

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """Request along those that are requestable, as far as the flood guard lets."""
        program = program_or_404(request, uuid)
        try:
            ids = _pathway_ids(request)
        except ValidationError as error:
            return HttpResponseBadRequest(f"pathway: {' '.join(error.messages)}", content_type="text/plain")
        found = api.requestable_pathways(program=program).in_bulk(ids)
        waits = {pathway: seconds_to_wait(request) for pathway in found.values()}
        allowed = [pathway for pathway, wait in waits.items() if not wait]
        try:
            requests = api.request_credit(user=request.user, program=program, pathways=allowed)
        except api.NotRequestable:
            raise Http404("You cannot request credit for this program.") from None
        _say_what_happened(request, requests, waits, unknown=len(ids) - len(found))
        return self.back(uuid)


def _pathway_ids(request: HttpRequest) -> list[int]:
    """Return the ids of the ticked boxes, each once, or raise ``ValidationError``."""
    number = forms.IntegerField(min_value=1, max_value=MAX_ID)
    return list(dict.fromkeys(number.clean(value) for value in request.POST.getlist("pathway")))


def _say_what_happened(
    request: HttpRequest, requests: Sequence[UserCreditPathway], waits: Mapping[Pathway, int], unknown: int
) -> None:
    """Leave one message for each pathway that was asked for."""
    for credit_request in requests:
        level, text = SAID[Status(credit_request.status)]
        if credit_request.status == Status.PENDING and conf.delivery() == "celery":
            text = QUEUED
        names = {"pathway": credit_request.pathway.name, "institution": credit_request.pathway.org_name}
        messages.add_message(request, level, text % names)
    for pathway, wait in waits.items():
        if wait:
            messages.warning(request, f"{pathway.name}: {_too_many(wait)}")
    if unknown:
        messages.warning(request, _gone(unknown))
    if not waits and not unknown:
        messages.warning(request, _("Nothing was sent: choose at least one pathway."))


def _gone(count: int) -> str:
    """Return what a learner is told of ``count`` choices that are not requestable; perhaps they were a moment ago."""
    text = ngettext(
        "One of your choices takes no requests for this program now. Nothing was sent to it.",
        "%(count)d of your choices take no requests for this program now. Nothing was sent to them.",
        count,
    )
    return text % {"count": count}


def _too_many(wait: int) -> str:
    """Return what a learner is told whom the flood guard stops for ``wait`` seconds."""
    text = ngettext(
        "too many requests. Nothing was done. Try again in %(count)d second.",
        "too many requests. Nothing was done. Try again in %(count)d seconds.",
        wait,
    )
    return text % {"count": wait}


class ShareLinkView(LearnerAction):
    """Make the public link."""

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """Share the record if it is not shared yet."""
        record = record_or_404(request, uuid)
        wait = seconds_to_wait(request)
        if wait:
            messages.warning(request, f"{record.program.title}: {_too_many(wait)}")
        else:
            api.share_record(user=record.user, program=record.program)
            messages.success(request, _("Your record is shared: everyone who has the link can read it."))
        return self.back(uuid)


class RevokeView(LearnerAction):
    """Withdraw the public link."""

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """Stop sharing."""
        api.revoke_record(user=request.user, program=program_or_404(request, uuid))
        messages.success(request, _("Your record is not shared any more. The old link is dead, wherever you sent it."))
        return self.back(uuid)


@method_decorator(unlisted, name="dispatch")
class PublicRecordView(TemplateView):
    """The public record, for everyone who has the link."""

    template_name = "credit_pathways/public_record.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the record that the link opens."""
        return super().get_context_data(record=public_record_or_404(self.request, kwargs["uuid"]), **kwargs)


@method_decorator(unlisted, name="dispatch")
class PublicRecordCsvView(View):
    """The public record as CSV."""

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """Return it as a download."""
        record = public_record_or_404(request, uuid)
        name = slugify(record.program.title)[:100] or "program"
        disposition = content_disposition_header(as_attachment=True, filename=f"{name}-record.csv")
        headers = {"Content-Disposition": disposition or "attachment"}
        return HttpResponse(record_csv(record), content_type="text/csv; charset=utf-8", headers=headers)
