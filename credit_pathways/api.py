"""What a host or a view may call: request, share, revoke, read. Arguments are given by keyword."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from django.db import transaction

from . import conf
from .delivery import broker, sending
from .models import (
    Learner,
    Pathway,
    PathwayQuerySet,
    Program,
    ProgramCertRecord,
    UserCreditPathway,
    UserCreditPathwayQuerySet,
)
from .records import ProgramRecord, program_record, program_records, public_record, record_now
from .signals import credit_requested

__all__ = [
    "NotRequestable",
    "credit_requests",
    "deliver",
    "program_record",
    "program_records",
    "public_record",
    "request_credit",
    "requestable_pathways",
    "revoke_record",
    "share_record",
]

Status = UserCreditPathway.Status


class NotRequestable(Exception):
    """Credit cannot be requested: a pathway is not requestable for the program, or the learner has no record in it."""


def request_credit(*, user: Learner, program: Program, pathways: Iterable[Pathway]) -> list[UserCreditPathway]:
    """
    Request credit for ``program`` along each of ``pathways``, on behalf of the learner who asked for it just now.

    Shares the record if it is not shared yet, writes one row for each pathway, commits, then delivers; inside a
    caller's own transaction, delivers when that commits. Returns the rows, whose ``status`` says what became of each
    email. Of each pathway only the ``pk`` is read; the rule is put to the database.

    Raises:
        NotRequestable: nothing was written.
    """
    chosen = _requestable(program, pathways)
    record = program_record(user=user, program=program)
    if record is None:
        raise NotRequestable(f"learner {user.pk} has no record in program {program.uuid}")
    if not chosen:
        return []
    with transaction.atomic():
        requests = [UserCreditPathway.objects.create(user=user, pathway=p, program=program) for p in chosen]
        record = replace(record, shared_record=record.shared_record or share_record(user=user, program=program))
        # Robust: whatever goes wrong with one request, even its database, the others are still delivered.
        if conf.delivery() == "celery":
            transaction.on_commit(lambda: _queue(requests), robust=True)
        else:
            for request in requests:
                transaction.on_commit(partial(_deliver_now, request, record), robust=True)
    return requests


def _requestable(program: Program, pathways: Iterable[Pathway]) -> list[Pathway]:
    """Return ``pathways``, each once, as the database has them, or raise ``NotRequestable``."""
    asked = list(dict.fromkeys(pathway.pk for pathway in pathways))
    found = requestable_pathways(program=program).order_by().in_bulk(asked)
    missing = [pk for pk in asked if pk not in found]
    if missing:
        raise NotRequestable(f"pathways {missing} are not requestable for program {program.uuid}")
    return [found[pk] for pk in asked]


def _queue(credit_requests: list[UserCreditPathway]) -> None:
    for credit_request in credit_requests:
        credit_requested.send_robust(sender=UserCreditPathway, request=credit_request)
    broker.enqueue(credit_requests)


def _deliver_now(credit_request: UserCreditPathway, record: ProgramRecord) -> None:
    credit_requested.send_robust(sender=UserCreditPathway, request=credit_request)
    sending.deliver(credit_request, record, among=UserCreditPathway.UNSENT)


def deliver(credit_request: UserCreditPathway) -> Status:
    """
    Deliver a credit request whose email has not left yet, with the record as it is now, and return its status.

    A request already sent, imported, or without a program, stays as it is. One whose record is no longer shared fails:
    only the learner may share it again (ADR 0008).

    Raises:
        RuntimeError: called inside a transaction (not on SQLite).
    """
    return sending.deliver(credit_request, record_now(credit_request), among=UserCreditPathway.UNSENT)


def requestable_pathways(*, program: Program) -> PathwayQuerySet:
    """Return the pathways along which credit for ``program`` may be requested, by name."""
    return Pathway.objects.requestable_for(program)


def credit_requests(*, user: Learner) -> UserCreditPathwayQuerySet:
    """Return what the learner has requested so far, newest first: to be read, and never to decide anything."""
    requests = UserCreditPathway.objects.filter(user=user).with_imported().order_by("-created", "-pk")
    return requests.prefetch_related("pathway", "program")


def share_record(*, user: Learner, program: Program) -> ProgramCertRecord:
    """Return the learner's shared program record, made if there is none; two calls at once return the same one."""
    return ProgramCertRecord.objects.get_or_create(user=user, program=program)[0]


def revoke_record(*, user: Learner, program: Program) -> None:
    """Stop sharing: the public link is dead at once, wherever it was sent. Sharing again makes a new one."""
    ProgramCertRecord.objects.filter(user=user, program=program).delete()
