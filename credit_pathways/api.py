"""What a host may call, by keyword: request credit, share, withdraw, read, deliver, record a bounce, retire."""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Prefetch, QuerySet

from . import conf, database
from .delivery import broker, later, learner_emails, sending
from .delivery.bounces import record_bounce
from .delivery.learner_emails import Event
from .models import ImportedRow, Pathway, Program, ProgramCertRecord, UserCreditPathway
from .records import ProgramRecord, program_record, program_records, public_record
from .sanitize import muted
from .signals import credit_requested
from .users import Learner

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

log = logging.getLogger(__name__)

Status = UserCreditPathway.Status

#: Django logs what receivers raise with its text, which may name the learner, and emails it to ADMINS.
_receivers_muted = muted("django.dispatch")


class NotRequestable(Exception):
    """A pathway is not requestable for the program, or the learner has no record in it, or one of them is gone."""


def request_credit(*, user: Learner, program: Program, pathways: Iterable[Pathway]) -> list[UserCreditPathway]:
    """
    Request credit for ``program`` through each of ``pathways``. Call it only because the learner has just asked.

    It shares the record if needed, adds one row per pathway, commits, and then delivers. Inside a caller's own
    transaction it delivers when that transaction commits. The ``status`` of the returned rows says what happened to
    each email. Only the ``pk`` of each pathway is used: the database decides which are requestable. No email is started
    later than ``MAX_DELIVERY_SECONDS`` after the call, or after the caller's commit: the requests that are left fail
    (ADR 0022).

    Raises:
        NotRequestable: nothing was written.
    """
    started = time.monotonic()
    chosen = _requestable(program, pathways)
    record = program_record(user=user, program=program)
    if record is None:
        raise NotRequestable(f"learner {user.pk} has no record in program {program.uuid}")
    if not chosen:
        return []
    click = _Click(record, chosen, None if database.connection().in_atomic_block else started)
    try:
        database.retry_once(click.record_requests)
    except IntegrityError:
        if database.exist(user, program, *chosen):
            raise
        raise NotRequestable(f"learner {user.pk}, program {program.uuid}, or a pathway is gone") from None
    return click.requests


def _requestable(program: Program, pathways: Iterable[Pathway]) -> list[Pathway]:
    """Return ``pathways`` from the database, without duplicates, or raise ``NotRequestable``."""
    ids = list(dict.fromkeys(pathway.pk for pathway in pathways))
    found = requestable_pathways(program=program).order_by().in_bulk(ids)
    missing = [pk for pk in ids if pk not in found]
    if missing:
        raise NotRequestable(f"pathways {missing} are not requestable for program {program.uuid}")
    return [found[pk] for pk in ids]


@dataclass
class _Click:
    """What a learner has just asked for."""

    record: ProgramRecord
    pathways: list[Pathway]
    #: A time of ``time.monotonic()``; ``None`` inside a caller's transaction, whose response knows no outcome.
    started: float | None
    #: What was recorded.
    shared_record: ProgramCertRecord | None = None
    requests: list[UserCreditPathway] = field(default_factory=list)

    def record_requests(self) -> None:
        # First, so that an error of one of the host's functions, which come later, does not keep it from being called.
        transaction.on_commit(self.deliver, using=database.alias())
        record = self.record
        values = {"user": record.user, "program": record.program, "completed": record.progress.completed}
        self._lock_pathways()
        requests = {
            pathway: UserCreditPathway.objects.create(pathway=pathway, **values)
            for pathway in sorted(self.pathways, key=lambda pathway: pathway.pk)
        }
        self.shared_record = record.shared_record or _share(record.user, record.program)
        self.requests = [requests[pathway] for pathway in self.pathways]

    def _lock_pathways(self) -> None:
        """
        Avoid deadlocks with synchronizations, which lock all pathways, then programs (ADR 0023).

        On MySQL and MariaDB, each new row locks its pathway, then the program.
        """
        if database.connection().vendor == "mysql" and len(self.pathways) > 1:
            pathways = database.primary(Pathway.objects.select_for_update().order_by("pk"))
            list(pathways.filter(pk__in=[pathway.pk for pathway in self.pathways]).values_list("pk"))

    def deliver(self) -> None:
        """Deliver, or queue, what was just committed. Trouble with one request never affects the others (promise 3)."""
        started = time.monotonic() if self.started is None else self.started
        deadline = started + sending.MAX_DELIVERY_SECONDS
        for credit_request in self.requests:
            _announce(credit_request)
        if conf.delivery() == "celery":
            broker.enqueue(self.requests, deadline)
        else:
            self._deliver_inline(deadline)
        self._tell(deadline)

    def _deliver_inline(self, deadline: float) -> None:
        for number, credit_request in enumerate(self.requests):
            if time.monotonic() > deadline:
                sending.fail(self.requests[number:], sending.NOT_STARTED)
                break
            self._deliver_now(credit_request)

    def _deliver_now(self, credit_request: UserCreditPathway) -> None:
        record = replace(self.record, shared_record=self.shared_record)
        try:
            sending.send(credit_request, lambda: record, from_statuses=[Status.PENDING])
        except Exception as error:  # noqa: BLE001  of the database
            log.warning("credit request %s: %s", credit_request.pk, type(error).__name__)
            sending.fail([credit_request], sending.with_error(sending.NOT_SENT, error))

    def _tell(self, deadline: float) -> None:
        """
        Email the learner, after the institutions: confirmations, and failures that no response will show.

        Not about what workers sent, which they do themselves.
        """
        is_awaited, is_inline = self.started is not None, conf.delivery() != "celery"
        with learner_emails.held_back(deadline):
            for credit_request in self.requests:
                if credit_request.status == Status.SENT and is_inline:
                    learner_emails.tell(credit_request.pk, Event.SENT)
                if credit_request.status == Status.FAILED and not is_awaited:
                    learner_emails.tell(credit_request.pk, Event.FAILED)


def _announce(credit_request: UserCreditPathway) -> None:
    results: list[tuple[Any, Any]]
    try:
        with _receivers_muted():
            results = credit_requested.send_robust(sender=UserCreditPathway, request=credit_request)
    except Exception as error:  # noqa: BLE001  Django cannot log the error of a receiver without a name, such as a partial
        results = [(None, error)]
    for receiver, result in results:
        if isinstance(result, Exception):
            name = getattr(receiver, "__qualname__", "a receiver")
            log.warning("credit request %s: %s raised %s", credit_request.pk, name, type(result).__name__)


def deliver(credit_request: UserCreditPathway) -> Status:
    """
    Try once to deliver a request that was never sent, with the record as it is now, and return its status.

    A request that was sent or imported, or has no program, is left as it is. A request whose record is no longer
    shared fails, because only the learner may share it again (ADR 0008). A request of an inactive account fails too
    (ADR 0020).

    Raises:
        RuntimeError: called inside a transaction (not on SQLite).
    """
    return later.deliver(credit_request)


def requestable_pathways(*, program: Program) -> QuerySet[Pathway]:
    """Return the pathways through which credit for ``program`` can be requested, ordered by name."""
    return database.primary(Pathway.objects.requestable_for(program))


def credit_requests(*, user: Learner) -> QuerySet[UserCreditPathway]:
    """Return the learner's requests, newest first. Earlier requests never decide what a learner may do (ADR 0001)."""
    requests = UserCreditPathway.objects.filter(user=user).with_imported().order_by("-created", "-pk")
    pathways = Prefetch("pathway", database.primary(Pathway.objects.all()))
    programs = Prefetch("program", database.primary(Program.objects.select_related("site")))
    return database.primary(requests).prefetch_related(pathways, programs)


def share_record(*, user: Learner, program: Program) -> ProgramCertRecord:
    """
    Return the learner's shared program record, created if needed. Concurrent calls return the same one.

    Raises:
        ProgramCertRecord.DoesNotExist: the learner or the program is gone.
    """
    shared_records = database.primary(ProgramCertRecord.objects.filter(user=user, program=program))
    try:
        return shared_records.first() or database.retry_once(partial(_share, user, program), atomic=False)
    except IntegrityError:
        if database.exist(user, program):
            raise
        raise ProgramCertRecord.DoesNotExist(f"learner {user.pk} or program {program.uuid} is gone") from None


def _share(user: Learner, program: Program) -> ProgramCertRecord:
    """Share a record that was not shared a moment ago. At SERIALIZABLE, looking again would conflict with others."""
    try:
        return database.in_transaction(partial(ProgramCertRecord.objects.create, user=user, program=program))
    except IntegrityError:
        shared_records = database.primary(ProgramCertRecord.objects.filter(user=user, program=program))
        if shared_record := shared_records.first():
            return shared_record
        raise


def revoke_record(*, user: Learner, program: Program) -> None:
    """Stop sharing. The public link stops working immediately; sharing again creates a new one (ADR 0006)."""
    database.retry_once(ProgramCertRecord.objects.filter(user=user, program=program).delete)


def retire_learner(*, user: Learner) -> None:
    """
    Withdraw all of the learner's public links, and mark pending requests as failed. Requests are kept.

    It affects what exists now: a later click by an active account is a new request. Call it before the username is
    replaced (ADR 0020). Calling it again is harmless.
    """
    # The links first: attempts that have not locked their row yet find no link.
    database.retry_once(ProgramCertRecord.objects.filter(user=user).delete)
    requests = UserCreditPathway.objects.filter(~ImportedRow.of_request(), user=user)
    for credit_request in database.primary(requests.filter(status=Status.PENDING)):
        if not sending.is_locked(credit_request):
            sending.give_up(credit_request, sending.RETIRED)
