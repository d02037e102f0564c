"""What a host or a view may call: request, share, revoke, read. Arguments are given by keyword."""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from django.contrib.sites.models import Site
from django.db import transaction

from . import delivery
from .models import Learner, Pathway, PathwayQuerySet, Program, ProgramCertRecord, UserCreditPathway
from .records import ProgramRecord, record_source
from .signals import credit_requested

__all__ = [
    "NotRequestable",
    "deliver",
    "program_record",
    "program_records",
    "public_record",
    "request_credit",
    "requestable_pathways",
    "revoke_record",
    "share_record",
]


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
        for request in requests:
            _deliver_on_commit(request, record)
    return requests


def _requestable(program: Program, pathways: Iterable[Pathway]) -> list[Pathway]:
    """Return ``pathways``, each once, as the database has them, or raise ``NotRequestable``."""
    asked = list(dict.fromkeys(pathway.pk for pathway in pathways))
    found = requestable_pathways(program=program).in_bulk(asked)
    missing = [pk for pk in asked if pk not in found]
    if missing:
        raise NotRequestable(f"pathways {missing} are not requestable for program {program.uuid}")
    return [found[pk] for pk in asked]


def _deliver_on_commit(credit_request: UserCreditPathway, record: ProgramRecord) -> None:
    def deliver_now() -> None:
        credit_requested.send_robust(sender=UserCreditPathway, request=credit_request)
        delivery.deliver(credit_request, record)

    # Robust: whatever goes wrong with one request, even its database, the others are still delivered.
    transaction.on_commit(deliver_now, robust=True)


def deliver(credit_request: UserCreditPathway) -> UserCreditPathway.Status:
    """
    Deliver a credit request whose email has not left yet, with the record as it is now, and return its status.

    A request already sent, or without a program, stays as it is. One whose record is no longer shared fails: only the
    learner may share it again (ADR 0008).

    Raises:
        RuntimeError: called inside a transaction (not on SQLite).
    """
    program = credit_request.program
    record = program_record(user=credit_request.user, program=program) if program else None
    return delivery.deliver(credit_request, record)


def requestable_pathways(*, program: Program) -> PathwayQuerySet:
    """Return the pathways along which credit for ``program`` may be requested, by name."""
    return Pathway.objects.requestable_for(program)


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
    shared_record = ProgramCertRecord.objects.filter(user=user, program=program).first()
    return ProgramRecord(user=user, program=program, progress=progress, shared_record=shared_record)


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
    shared_records = ProgramCertRecord.objects.select_related("user", "program__site")
    shared_record = shared_records.filter(uuid=uuid, program__site=site).first()
    if shared_record is None:
        return None
    user, program = shared_record.user, shared_record.program
    progress = record_source().progress(user, program)
    if progress is None:
        return None
    return ProgramRecord(user=user, program=program, progress=progress, shared_record=shared_record)
