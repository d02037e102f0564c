"""The pages. They work without JavaScript; each view parses, calls the api, and answers."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.shortcuts import redirect, render
from django.template.defaultfilters import slugify
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import content_disposition_header
from django.utils.timesince import timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.generic import ListView, TemplateView, View

from . import api, conf
from .decorators import unlisted_and_uncached
from .links import public_record_url
from .models import MAX_ID, Pathway, Program, UserCreditPathway, UserCreditPathwayQuerySet
from .record_csv import record_csv
from .sanitize import one_line
from .shortcuts import current_site, program_or_404, public_record_or_404, record_or_404
from .throttling import seconds_to_wait

Status = UserCreditPathway.Status

#: What a learner is told of a request that a worker will send.
QUEUED = gettext_lazy(
    "%(pathway)s: your request is recorded. Its email to %(institution)s waits to be sent; "
    "you need not do anything more."
)


#: A longer wait is told in minutes, hours and days.
MAX_SECONDS_SHOWN = 120


@method_decorator(never_cache, name="dispatch")
class IndexView(LoginRequiredMixin, TemplateView):
    """My programs."""

    template_name = "credit_pathways/index.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the learner's program records."""
        records = api.program_records(user=self.request.user, site=current_site(self.request))
        return super().get_context_data(records=records, messages=messages.get_messages(self.request), **kwargs)


@method_decorator(never_cache, name="dispatch")
class CreditRequestsView(LoginRequiredMixin, ListView):
    """What the learner has requested so far: a record to read."""

    template_name = "credit_pathways/credit_requests.html"
    paginate_by = 50

    def get_queryset(self) -> UserCreditPathwayQuerySet:
        """Return the learner's own requests."""
        return api.credit_requests(user=self.request.user)


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
        """Log in, then go to the page and say so: the form cannot be sent again by itself."""
        if self.request.method == "POST":
            messages.warning(self.request, _("You were logged out, so nothing was done. Please do it again."))
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
        _say_what_happened(request, program, requests, waits, unknown=len(ids) - len(found))
        return self.back(uuid)


def _pathway_ids(request: HttpRequest) -> list[int]:
    """Return the ids of the ticked boxes, each once, or raise ``ValidationError``."""
    number = forms.IntegerField(min_value=1, max_value=MAX_ID)
    return list(dict.fromkeys(number.clean(value) for value in request.POST.getlist("pathway")))


def _say_what_happened(
    request: HttpRequest,
    program: Program,
    requests: Sequence[UserCreditPathway],
    waits: Mapping[Pathway, int],
    unknown: int,
) -> None:
    """Leave one message for each pathway."""
    for credit_request in requests:
        outcome = Status(credit_request.status).outcome
        is_queued = credit_request.status == Status.PENDING and conf.delivery() == "celery"
        text = QUEUED if is_queued else outcome.message
        pathway = credit_request.pathway
        names = {"pathway": one_line(pathway.name), "institution": one_line(pathway.org_name)}
        again = _again(program, pathway) if credit_request.status == Status.FAILED else ""
        messages.add_message(request, outcome.level, text % names, extra_tags=again)
    for pathway, wait in waits.items():
        if wait:
            messages.warning(request, _too_many(pathway.name, wait), extra_tags=_again(program, pathway))
    if unknown:
        messages.warning(request, _gone(unknown))
    if not waits and not unknown:
        messages.warning(request, _("Nothing was sent: choose at least one pathway."))


def _again(program: Program, pathway: Pathway) -> str:
    """Return the ``extra_tags`` by which the page of this program, and no other, offers to try again."""
    return f"{program.uuid}:{pathway.pk}"


def _gone(count: int) -> str:
    """Return what a learner is told of ``count`` choices that are not requestable; perhaps they were a moment ago."""
    text = ngettext(
        "One of your choices takes no requests for this program now. Nothing was sent to it.",
        "%(count)d of your choices take no requests for this program now. Nothing was sent to them.",
        count,
    )
    return text % {"count": count}


def _too_many(name: str, wait: int) -> str:
    """Return what a learner is told whom the flood guard stops for ``wait`` seconds."""
    if wait > MAX_SECONDS_SHOWN:
        now = timezone.now()
        later = timeuntil(now + timedelta(seconds=wait + 59), now)
        text = _("%(name)s: too many requests. Nothing was done. Try again in %(time)s.")
        return text % {"name": one_line(name), "time": later}
    text = ngettext(
        "%(name)s: too many requests. Nothing was done. Try again in %(count)d second.",
        "%(name)s: too many requests. Nothing was done. Try again in %(count)d seconds.",
        wait,
    )
    return text % {"name": one_line(name), "count": wait}


class ShareLinkView(LearnerAction):
    """Make the public link."""

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """Share the record if it is not shared yet."""
        record = record_or_404(request, uuid)
        wait = seconds_to_wait(request)
        if wait:
            messages.warning(request, _too_many(record.program.title, wait))
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


@method_decorator(unlisted_and_uncached, name="dispatch")
class SharedView(View):
    """What everyone may read who has the link; a page that says what to do when the link is dead."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer 404 with that page."""
        try:
            return super().dispatch(request, *args, **kwargs)
        except Http404:
            return render(request, "credit_pathways/public_record_gone.html", status=404)


class PublicRecordView(SharedView):
    """The public record, to read and to print."""

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """Show the record that the link opens, and where it is, for paper does not tell."""
        record = public_record_or_404(request, uuid)
        assert record.shared_record is not None
        url = public_record_url(record.program.site, record.shared_record)
        return render(
            request, "credit_pathways/public_record.html", {"record": record, "uuid": uuid, "public_url": url}
        )


class PublicRecordCsvView(SharedView):
    """The public record as CSV."""

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """Return it as a download."""
        record = public_record_or_404(request, uuid)
        name = slugify(record.program.title)[:100] or "program"
        disposition = content_disposition_header(as_attachment=True, filename=f"{name}-record.csv")
        headers = {"Content-Disposition": disposition or "attachment"}
        return HttpResponse(record_csv(record), content_type="text/csv; charset=utf-8", headers=headers)
