"""What a host or a view may call: request, share, revoke, read. Arguments are given by keyword."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.contrib.sites.models import Site
from django.db import connection, router, transaction
from django.utils import timezone

from . import conf, delivery, queueing
from .models import (
    Learner,
    Pathway,
    PathwayQuerySet,
    Program,
    ProgramCertRecord,
    UserCreditPathway,
    UserCreditPathwayQuerySet,
)
from .records import ProgramRecord, record_source
from .signals import credit_requested

__all__ = [
    "NotRequestable",
    "attempt_delivery",
    "credit_requests",
    "deliver",
    "deliver_pending",
    "pending_requests",
    "program_record",
    "program_records",
    "public_record",
    "request_credit",
    "requestable_pathways",
    "revoke_record",
    "share_record",
]

log = logging.getLogger(__name__)

Status = UserCreditPathway.Status

#: How long a request is claimed by one who delivers it and may be killed: longer than mail servers take.
CLAIM = timedelta(minutes=10)


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
    queueing.enqueue(credit_requests)


def _deliver_now(credit_request: UserCreditPathway, record: ProgramRecord) -> None:
    credit_requested.send_robust(sender=UserCreditPathway, request=credit_request)
    delivery.deliver(credit_request, record, among=UserCreditPathway.UNSENT)


def deliver(credit_request: UserCreditPathway) -> Status:
    """
    Deliver a credit request whose email has not left yet, with the record as it is now, and return its status.

    A request already sent, imported, or without a program, stays as it is. One whose record is no longer shared fails:
    only the learner may share it again (ADR 0008).

    Raises:
        RuntimeError: called inside a transaction (not on SQLite).
    """
    return delivery.deliver(credit_request, _record_now(credit_request), among=UserCreditPathway.UNSENT)


def _record_now(credit_request: UserCreditPathway) -> ProgramRecord | None:
    """Return the record that ``credit_request`` is about as it is now; ``None`` if there is none any more."""
    program = credit_request.program
    return program_record(user=credit_request.user, program=program) if program else None


def attempt_delivery(*, request_id: int, is_last: bool) -> Status | None:
    """
    Try once to deliver a pending request, and return its status; ``None`` if there is no such request to deliver.

    If the mail does not leave, whatever goes wrong, the request stays pending, or fails if the attempt was the last.

    Raises:
        django.db.Error: not even that could be written down after the last attempt.
    """
    otherwise = Status.FAILED if is_last else Status.PENDING
    try:
        return _attempt(request_id, otherwise)
    except Exception as error:  # noqa: BLE001  the host's record source, the database, a time limit
        log.warning("credit request %s: %s", request_id, type(error).__name__)
    # Outside the block, so that no error of the host's, with a learner's name in it, is shown as the cause of another.
    connection.close_if_unusable_or_obsolete()
    return delivery.give_up(UserCreditPathway(pk=request_id)) if is_last else otherwise


def _attempt(request_id: int, otherwise: Status) -> Status | None:
    # A replica may not have the row yet.
    pending = UserCreditPathway.objects.using(router.db_for_write(UserCreditPathway)).pending()
    credit_request = pending.select_related("user", "pathway", "program__site").filter(pk=request_id).first()
    if credit_request is None:
        log.info("credit request %s: not pending", request_id)
        return None
    record = _record_now(credit_request)
    return delivery.deliver(credit_request, record, among=[Status.PENDING], otherwise=otherwise)


def pending_requests(*, older_than: timedelta) -> UserCreditPathwayQuerySet:
    """
    Return the requests that have been pending for longer: their process was killed, or the queue lost them.

    One that ``deliver_pending`` is delivering just now is not among them.
    """
    now = timezone.now()
    return UserCreditPathway.objects.pending().filter(created__lt=now - older_than, modified__lte=now).order_by("pk")


def deliver_pending(*, older_than: timedelta) -> Iterator[UserCreditPathway]:
    """
    Deliver the requests that have been pending for longer, each once, and give each when it is done.

    Two of these may run at the same time: each claims a request first, by a ``modified`` in the future.
    """
    for request_id in list(pending_requests(older_than=older_than).values_list("pk", flat=True)):
        unclaimed = pending_requests(older_than=older_than).filter(pk=request_id)
        if unclaimed.update(modified=timezone.now() + CLAIM):
            attempt_delivery(request_id=request_id, is_last=True)
            yield from UserCreditPathway.objects.filter(pk=request_id)


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


def program_record(*, user: Learner, program: Program) -> ProgramRecord | None:
    """Return what the learner's Program Record page shows; ``None``: this learner has no record in the program."""
    progress = record_source().progress(user, program)
    if progress is None:
        return None
    shared = ProgramCertRecord.objects.filter(user=user, program=program)
    return ProgramRecord(user=user, program=program, progress=progress, shared_record=next(iter(shared), None))


def program_records(*, user: Learner, site: Site) -> list[ProgramRecord]:
    """Return the learner's program records on ``site``, in the record source's order."""
    source = record_source()
    shared = {record.program_id: record for record in ProgramCertRecord.objects.filter(user=user, program__site=site)}
    return [
        ProgramRecord(user=user, program=program, progress=progress, shared_record=shared.get(program.pk))
        for program in source.programs(user, site)
        if (progress := source.progress(user, program)) is not None
    ]


def public_record(*, uuid: UUID, site: Site) -> ProgramRecord | None:
    """Return the program record that the public link ``uuid`` of ``site`` opens; ``None``: the link is dead."""
    shared_records = ProgramCertRecord.objects.select_related("user", "program")
    shared_record = next(iter(shared_records.filter(uuid=uuid, program__site=site.pk)), None)
    if shared_record is None:
        return None
    user, program = shared_record.user, shared_record.program
    program.site = site
    progress = record_source().progress(user, program)
    if progress is None:
        return None
    return ProgramRecord(user=user, program=program, progress=progress, shared_record=shared_record)
