"""The pages, which work without JavaScript."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
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
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from django.views.decorators.cache import never_cache
from django.views.generic import DetailView, ListView, TemplateView, View

from . import api, conf, database
from .decorators import non_atomic_requests, unlisted_and_uncached
from .delivery.message import email_values
from .links import public_record_url, records_url
from .models import MAX_ID, Pathway, Program, ProgramCertRecord, UserCreditPathway
from .record_csv import record_csv
from .records import ProgramRecord, site_configuration
from .sanitize import one_line
from .shortcuts import get_program_or_404, get_public_record_or_404, get_record_or_404, get_site_or_404
from .throttling import RequestRateThrottle
from .users import display_name

Status = UserCreditPathway.Status

# The messages that learners see, besides those of a request's status (models.STATUS_MESSAGES).
LOGGED_OUT = _("You were logged out, so nothing was done. Please do it again.")
NOTHING_CHOSEN = _("Nothing was sent: choose at least one pathway.")
NOT_REQUESTABLE = ngettext_lazy(
    "One of your choices takes no requests for this program now. Nothing was sent to it.",
    "%(count)d of your choices take no requests for this program now. Nothing was sent to them.",
    "count",
)
QUEUED = _(
    "%(pathway)s: your request to %(institution)s is recorded and waiting to be sent. You don't need to send it again."
)
REQUEST_NUMBER = _("Your request number is %(number)s.")
THROTTLED = _("%(name)s: too many requests. Nothing was done. Try again in %(time)s.")
THROTTLED_BRIEFLY = ngettext_lazy(
    "%(name)s: too many requests. Nothing was done. Try again in %(count)d second.",
    "%(name)s: too many requests. Nothing was done. Try again in %(count)d seconds.",
    "count",
)
SHARED = _("Your record is shared: everyone who has the link can read it.")
REVOKED = _("Your record is not shared any more. The old link is dead, wherever you sent it.")

#: Prefix of the ``extra_tags`` of a message about a sent or pending request. The request's ``pk`` follows.
REQUEST_TAG = "credit-request:"

#: The longest wait that is shown in seconds. A longer one is shown in minutes, hours and days.
MAX_SECONDS_SHOWN = 120


class RecordsView(LoginRequiredMixin, TemplateView):
    """A page that another front end may show instead (``CREDIT_PATHWAYS_RECORDS_URL``)."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        url = records_url(kwargs.get("uuid"))
        return HttpResponseRedirect(url) if url else super().get(request, *args, **kwargs)


@method_decorator(never_cache, name="dispatch")
class IndexView(RecordsView):
    """The learner's programs."""

    template_name = "credit_pathways/index.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        records = api.program_records(user=self.request.user, site=get_site_or_404(self.request))
        return super().get_context_data(records=records, messages=_messages_with_requests(self.request), **kwargs)


@method_decorator(never_cache, name="dispatch")
class CreditRequestsView(LoginRequiredMixin, ListView):
    """The learner's credit requests."""

    template_name = "credit_pathways/credit_requests.html"
    paginate_by = 50

    def get_queryset(self) -> QuerySet[UserCreditPathway]:
        return api.credit_requests(user=self.request.user)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(site=get_site_or_404(self.request), **kwargs)


@method_decorator(never_cache, name="dispatch")
class CreditRequestView(LoginRequiredMixin, DetailView):
    """A printable receipt for one of the learner's own requests."""

    template_name = "credit_pathways/credit_request.html"
    context_object_name = "credit_request"
    pk_url_kwarg = "id"

    def get_queryset(self) -> QuerySet[UserCreditPathway]:
        return api.credit_requests(user=self.request.user)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        site, program = get_site_or_404(self.request), self.object.program
        shared_records = ProgramCertRecord.objects.filter(user=self.object.user_id, program=program)
        shared_record = database.primary(shared_records).first()
        return super().get_context_data(
            site=site,
            learner_name=display_name(self.object.user),
            platform_name=site_configuration(program.site if program else site).platform_name,
            public_url=program and shared_record and public_record_url(program.site, shared_record),
            # A later link is not the one in the email.
            is_link_sent=bool(shared_record and shared_record.created <= self.object.modified),
            **kwargs,
        )


@method_decorator(never_cache, name="dispatch")
class ProgramRecordView(RecordsView):
    """The Program Record page: the record, the requestable pathways, and the public link."""

    template_name = "credit_pathways/program_record.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        record = get_record_or_404(self.request, kwargs["uuid"])
        shared_record = record.shared_record
        return super().get_context_data(
            record=record,
            messages=_messages_with_requests(self.request),
            pathways=api.requestable_pathways(program=record.program),
            preview=email_values(record),
            public_url=shared_record and public_record_url(record.program.site, shared_record),
            **kwargs,
        )


def _messages_with_requests(request: HttpRequest) -> list[Any]:
    """Return the messages. Those about a sent or pending request have it as ``credit_request``."""
    shown: list[Any] = list(messages.get_messages(request))
    tags = [message.extra_tags or "" for message in shown]
    ids = [int(tag.removeprefix(REQUEST_TAG)) if tag.startswith(REQUEST_TAG) else 0 for tag in tags]
    own = UserCreditPathway.objects.filter(user=request.user.pk).select_related("pathway")
    credit_requests = database.primary(own).in_bulk([pk for pk in ids if pk])
    for message, pk in zip(shown, ids, strict=True):
        message.credit_request = credit_requests.get(pk)
    return shown


# It redirects to the login itself, also where LoginRequiredMiddleware would.
@method_decorator([login_not_required, non_atomic_requests], name="dispatch")
class LearnerActionView(LoginRequiredMixin, View):
    """A form on the Program Record page, to which it redirects with messages."""

    http_method_names = ("post", "options")

    def handle_no_permission(self) -> HttpResponseRedirect:
        """Redirect to the page after the login, because a login cannot repeat the POST."""
        if self.request.method == "POST":
            messages.warning(self.request, LOGGED_OUT)
        return redirect_to_login(reverse("credit_pathways:program_record", kwargs=self.kwargs), self.get_login_url())

    def redirect_to_page(self) -> HttpResponseRedirect:
        return redirect("credit_pathways:program_record", **self.kwargs)


class RequestCreditView(LearnerActionView):
    """Request credit through the chosen pathways."""

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """Request credit through each pathway that is requestable and not throttled, with one message for each."""
        program = get_program_or_404(request, uuid)
        try:
            ids = _clean_ids(request.POST.getlist("pathway"))
        except ValidationError as error:
            return HttpResponseBadRequest(
                f"pathway: {' '.join(error.messages)}", content_type="text/plain; charset=utf-8"
            )
        pathways = api.requestable_pathways(program=program).in_bulk(ids).values()
        throttle = RequestRateThrottle()
        waits = {pathway: throttle.seconds_to_wait(request) for pathway in pathways}
        allowed = [pathway for pathway, wait in waits.items() if not wait]
        try:
            credit_requests = api.request_credit(user=request.user, program=program, pathways=allowed)
        except api.NotRequestable:
            get_record_or_404(request, uuid)
            credit_requests, waits = [], {}  # something changed in the meantime
        for credit_request in credit_requests:
            _add_outcome(request, program, credit_request)
        _add_warnings(request, program, ids, waits)
        return self.redirect_to_page()


def _clean_ids(values: list[str]) -> list[int]:
    """Return ``values`` as ids without duplicates, or raise ``ValidationError``."""
    field = forms.IntegerField(min_value=1, max_value=MAX_ID)
    return list(dict.fromkeys(field.clean(value) for value in values))


def _add_outcome(request: HttpRequest, program: Program, credit_request: UserCreditPathway) -> None:
    """Add the message that says whether the email of ``credit_request`` was sent."""
    pathway = credit_request.pathway
    message = Status(credit_request.status).message
    is_queued = credit_request.status == Status.PENDING and conf.delivery() == "celery"
    text = (QUEUED if is_queued else message.text) % {
        "pathway": one_line(pathway.name),
        "institution": one_line(pathway.org_name),
    }
    number = REQUEST_NUMBER % {"number": credit_request.pk}
    is_failed = credit_request.status == Status.FAILED
    tags = _retry_tag(program, pathway) if is_failed else f"{REQUEST_TAG}{credit_request.pk}"
    messages.add_message(request, message.level, f"{text} {number}", extra_tags=tags)


def _add_warnings(request: HttpRequest, program: Program, ids: list[int], waits: dict[Pathway, int]) -> None:
    """Add the messages about what was not requested: throttled, no longer requestable, or nothing chosen at all."""
    for pathway, wait in waits.items():
        if wait:
            messages.warning(request, _throttled(pathway.name, wait), extra_tags=_retry_tag(program, pathway))
    if not_requestable := len(ids) - len(waits):
        messages.warning(request, NOT_REQUESTABLE % {"count": not_requestable})
    if not ids:
        messages.warning(request, NOTHING_CHOSEN)


def _retry_tag(program: Program, pathway: Pathway) -> str:
    """Return ``extra_tags`` for a message with a "Try again" button, which only this program's page shows."""
    return f"{program.uuid}:{pathway.pk}"


def _throttled(name: str, seconds: int) -> str:
    if seconds <= MAX_SECONDS_SHOWN:
        return THROTTLED_BRIEFLY % {"name": one_line(name), "count": seconds}
    now = timezone.now()
    # timeuntil() rounds down to whole minutes, and would announce a wait that is too short.
    time = timeuntil(now + timedelta(seconds=seconds + 59), now)
    return THROTTLED % {"name": one_line(name), "time": time}


class ShareLinkView(LearnerActionView):
    """Share the record by a public link."""

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        record = get_record_or_404(request, uuid)
        if wait := RequestRateThrottle().seconds_to_wait(request):
            messages.warning(request, _throttled(record.program.title, wait))
        else:
            _share(record)
            messages.success(request, SHARED)
        return self.redirect_to_page()


def _share(record: ProgramRecord) -> None:
    try:
        api.share_record(user=record.user, program=record.program)
    except ProgramCertRecord.DoesNotExist:
        raise Http404("You cannot share this record.") from None


class RevokeView(LearnerActionView):
    """Stop sharing the record."""

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        api.revoke_record(user=request.user, program=get_program_or_404(request, uuid))
        messages.success(request, REVOKED)
        return self.redirect_to_page()


@method_decorator([login_not_required, unlisted_and_uncached], name="dispatch")
class PublicLinkView(View):
    """A view for anyone with the public link. A dead link gets a page that says what to do."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        except Http404:
            return render(request, "credit_pathways/public_record_gone.html", status=404)


class PublicRecordView(PublicLinkView):
    """The public record as a page. It shows its own address, which a printout would otherwise lose."""

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        record = get_public_record_or_404(request, uuid)
        assert record.shared_record is not None
        url = public_record_url(record.program.site, record.shared_record)
        context = {"record": record, "uuid": uuid, "public_url": url}
        return render(request, "credit_pathways/public_record.html", context)


class PublicRecordCsvView(PublicLinkView):
    """The public record as CSV."""

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        record = get_public_record_or_404(request, uuid)
        name = slugify(record.program.title)[:100] or "program"
        disposition = content_disposition_header(as_attachment=True, filename=f"{name}-record.csv")
        headers = {"Content-Disposition": disposition or "attachment"}
        return HttpResponse(record_csv(record), content_type="text/csv; charset=utf-8", headers=headers)
