"""What a host may call, by keyword: request credit, share, withdraw, read, deliver, record a bounce, retire."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from django.db import transaction
from django.db.models import QuerySet

from . import conf
from .delivery import broker, later, learner_emails, sending
from .delivery.bounces import record_bounce
from .delivery.learner_emails import Event
from .models import Learner, Pathway, Program, ProgramCertRecord, UserCreditPathway
from .records import ProgramRecord, program_record, program_records, public_record
from .signals import credit_requested

__all__ = [
    "NotRequestable",
    "credit_requests",
    "deliver",
    "program_record",
    "program_records",
    "public_record",
    "record_bounce",
    "request_credit",
    "requestable_pathways",
    "retire_learner",
    "revoke_record",
    "share_record",
]

#: Seconds after which no further confirmation of a click is started.
MAX_CONFIRMATION_SECONDS = 5


class NotRequestable(Exception):
    """A pathway is not requestable for the program, or the learner has no record in it."""


def request_credit(*, user: Learner, program: Program, pathways: Iterable[Pathway]) -> list[UserCreditPathway]:
    """
    Request credit for ``program`` through each of ``pathways``. Call it only because the learner has just asked.

    It shares the record if needed, adds one row per pathway, commits, and then delivers. Inside a caller's own
    transaction it delivers when that transaction commits. The ``status`` of the returned rows says what happened to
    each email. Only the ``pk`` of each pathway is used: the database decides which are requestable.

    Raises:
        NotRequestable: nothing was written.
    """
    chosen = _requestable(program, pathways)
    record = program_record(user=user, program=program)
    if record is None:
        raise NotRequestable(f"learner {user.pk} has no record in program {program.uuid}")
    if not chosen:
        return []
    values = {"user": user, "program": program, "completed": record.progress.completed}
    with transaction.atomic():
        requests = [UserCreditPathway.objects.create(pathway=pathway, **values) for pathway in chosen]
        record = replace(record, shared_record=record.shared_record or share_record(user=user, program=program))
        _deliver_on_commit(requests, record)
    return requests


def _requestable(program: Program, pathways: Iterable[Pathway]) -> list[Pathway]:
    """Return ``pathways`` from the database, without duplicates, or raise ``NotRequestable``."""
    ids = list(dict.fromkeys(pathway.pk for pathway in pathways))
    found = requestable_pathways(program=program).order_by().in_bulk(ids)
    missing = [pk for pk in ids if pk not in found]
    if missing:
        raise NotRequestable(f"pathways {missing} are not requestable for program {program.uuid}")
    return [found[pk] for pk in ids]


def _deliver_on_commit(credit_requests: list[UserCreditPathway], record: ProgramRecord) -> None:
    # Robust, so that whatever happens to one request, even a database error, the others are still delivered.
    if conf.delivery() == "celery":
        transaction.on_commit(partial(_queue, credit_requests), robust=True)
    else:
        for credit_request in credit_requests:
            transaction.on_commit(partial(_deliver_now, credit_request, record), robust=True)
        transaction.on_commit(partial(_confirm, credit_requests), robust=True)


def _queue(credit_requests: list[UserCreditPathway]) -> None:
    for credit_request in credit_requests:
        credit_requested.send_robust(sender=UserCreditPathway, request=credit_request)
    broker.enqueue(credit_requests)


def _deliver_now(credit_request: UserCreditPathway, record: ProgramRecord) -> None:
    credit_requested.send_robust(sender=UserCreditPathway, request=credit_request)
    sending.send(credit_request, record, from_statuses=UserCreditPathway.UNSENT)


def _confirm(credit_requests: list[UserCreditPathway]) -> None:
    """Confirm the requests that were sent, after all of their emails, because the learner waits for the response."""
    with learner_emails.held_back(MAX_CONFIRMATION_SECONDS):
        for credit_request in credit_requests:
            if credit_request.status == UserCreditPathway.Status.SENT:
                learner_emails.tell(credit_request.pk, Event.SENT)


def deliver(credit_request: UserCreditPathway) -> UserCreditPathway.Status:
    """
    Try once to deliver a request that was never sent, with the record as it is now, and return its status.

    A request that was sent or imported, or has no program, is left as it is. A request whose record is no longer
    shared fails, because only the learner may share it again (ADR 0008). A request of an inactive account fails too
    (ADR 0020).

    Raises:
        RuntimeError: called inside a transaction (not on SQLite).
    """
    return later.deliver(credit_request, from_statuses=UserCreditPathway.UNSENT)


def requestable_pathways(*, program: Program) -> QuerySet[Pathway]:
    """Return the pathways through which credit for ``program`` can be requested, ordered by name."""
    return Pathway.objects.requestable_for(program)


def credit_requests(*, user: Learner) -> QuerySet[UserCreditPathway]:
    """Return the learner's requests, newest first. Earlier requests never decide what a learner may do (ADR 0001)."""
    requests = UserCreditPathway.objects.filter(user=user).with_imported().order_by("-created", "-pk")
    return requests.prefetch_related("pathway", "program__site")


def share_record(*, user: Learner, program: Program) -> ProgramCertRecord:
    """Return the learner's shared program record, created if needed. Concurrent calls return the same one."""
    return ProgramCertRecord.objects.get_or_create(user=user, program=program)[0]


def revoke_record(*, user: Learner, program: Program) -> None:
    """Stop sharing. The public link stops working immediately; sharing again creates a new one (ADR 0006)."""
    ProgramCertRecord.objects.filter(user=user, program=program).delete()


def retire_learner(*, user: Learner) -> None:
    """
    Withdraw all of the learner's public links, and mark pending requests as failed. Requests are kept.

    It affects what exists now: a later click by an active account is a new request. Call it before the username is
    replaced (ADR 0020). Calling it again is harmless.
    """
    # The links first: a request that is being delivered now is left to that attempt, and later ones find no link.
    ProgramCertRecord.objects.filter(user=user).delete()
    for credit_request in UserCreditPathway.objects.filter(user=user, status=UserCreditPathway.Status.PENDING):
        sending.give_up(credit_request, sending.RETIRED)
