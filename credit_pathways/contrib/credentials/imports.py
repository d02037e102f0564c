"""Copying what the records app of Open edX Credentials has: public links and credit requests (ADR 0017)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from credentials.apps.catalog import models as host_catalog
from credentials.apps.records import models as host
from django.db import transaction

from ... import models
from ...models import ImportedRow, ProgramCertRecord, UserCreditPathway

#: Rows that are read, and written in one transaction.
BATCH = 1000

Status = UserCreditPathway.Status

#: What of a request Credentials changes when its learner asks again.
CHANGING = ("program_id", "status", "modified")


@dataclass
class Report:
    """How many rows were copied, and brought up to date; and what could not be copied, a line for each."""

    links: int = 0
    requests: int = 0
    updated: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Keys:
    """The app's keys of Credentials' programs and pathways; what is not in the app's catalog is missing."""

    programs: dict[int, int]
    pathways: dict[int, int]

    @classmethod
    def read(cls) -> _Keys:
        """Match the catalogs by site and uuid."""
        return cls(_matched(host_catalog.Program, models.Program), _matched(host_catalog.Pathway, models.Pathway))

    def lack(self, row: Any) -> str:
        """Return what the row points at that is missing, as a line about it; nothing: nothing is."""
        if row.program_id is not None and row.program_id not in self.programs:
            return f"{_name(row)}: program {row.program_id} is not in the catalog"
        if hasattr(row, "pathway_id") and row.pathway_id not in self.pathways:
            return f"{_name(row)}: pathway {row.pathway_id} is not in the catalog"
        return ""


def import_rows(*, dry_run: bool = False) -> Report:
    """
    Copy every row that was not copied before, and bring the credit requests that were copied up to date.

    The uuids of the links, the times and the missing programs stay as they are. Nothing is delivered, now or later.
    Each batch of rows is a transaction, undone in a dry run; after an interruption, run it again.

    Raises:
        django.db.IntegrityError: somebody else wrote the same at that moment; run it again.
    """
    report, keys = Report(), _Keys.read()
    for model, copy in ((host.ProgramCertRecord, _copy_links), (host.UserCreditPathway, _copy_requests)):
        for rows in _batches(model):
            with transaction.atomic():
                copy(rows, keys, report)
                transaction.set_rollback(dry_run)
    return report


def _matched(theirs: Any, ours: Any) -> dict[int, int]:
    keys = {(site, uuid): key for site, uuid, key in ours.objects.values_list("site", "uuid", "pk")}
    rows = theirs.objects.values_list("site", "uuid", "pk")
    return {key: keys[site, uuid] for site, uuid, key in rows if (site, uuid) in keys}


def _batches(model: Any) -> Iterator[list[Any]]:
    """Give all rows by their key, so that memory does not grow with the table."""
    last = 0
    while rows := list(model.objects.filter(pk__gt=last).order_by("pk")[:BATCH]):
        last = rows[-1].pk
        yield rows


def _name(row: Any) -> str:
    return f"{row._meta.db_table} {row.pk}"


def _known(rows: list[Any]) -> dict[int, ImportedRow]:
    """Return what was dealt with before, by the key of Credentials' row."""
    table, keys = rows[0]._meta.db_table, [row.pk for row in rows]
    known = ImportedRow.objects.filter(table=table, row_id__in=keys).select_related("credit_request")
    return {row.row_id: row for row in known}


def _copyable(rows: Iterable[Any], keys: _Keys, report: Report) -> Iterator[Any]:
    """Give the rows that point at nothing missing; name the others among the problems."""
    for row in rows:
        if lack := keys.lack(row):
            report.problems.append(lack)
        else:
            yield row


def _copy_links(rows: list[Any], keys: _Keys, report: Report) -> None:
    known = _known(rows)
    new = [row for row in _copyable(rows, keys, report) if row.pk not in known]
    there = ProgramCertRecord.objects.filter(user__in={row.user_id for row in new})
    shared = {(program, user): uuid for program, user, uuid in there.values_list("program", "user", "uuid")}
    links = []
    for row in new:
        key = keys.programs[row.program_id], row.user_id
        if key not in shared:
            links.append(_link(row, key))
        elif shared[key] != row.uuid:
            report.problems.append(f"{_name(row)}: is shared by another link already, so this one leads nowhere")
    ProgramCertRecord.objects.bulk_create(links)
    ImportedRow.objects.bulk_create(ImportedRow(table=row._meta.db_table, row_id=row.pk) for row in new)
    report.links += len(links)


def _link(row: Any, key: tuple[int, int]) -> ProgramCertRecord:
    program, user = key
    return ProgramCertRecord(
        program_id=program, user_id=user, uuid=row.uuid, created=row.created, modified=row.modified
    )


def _copy_requests(rows: list[Any], keys: _Keys, report: Report) -> None:
    known = _known(rows)
    imported, changed = [], []
    for row in _copyable(rows, keys, report):
        values = _values(row, keys)
        if row.pk not in known:
            # One by one, for MySQL does not tell the keys of rows that are made together.
            request = UserCreditPathway.objects.create(**values)
            imported.append(ImportedRow(table=row._meta.db_table, row_id=row.pk, credit_request=request))
        elif (copy := known[row.pk].credit_request) and row.modified > copy.modified:
            for name in CHANGING:
                setattr(copy, name, values[name])
            changed.append(copy)
    ImportedRow.objects.bulk_create(imported)
    UserCreditPathway.objects.bulk_update(changed, CHANGING, batch_size=100)
    report.requests += len(imported)
    report.updated += len(changed)


def _values(row: Any, keys: _Keys) -> dict[str, Any]:
    return {
        "user_id": row.user_id,
        "pathway_id": keys.pathways[row.pathway_id],
        "program_id": row.program_id and keys.programs[row.program_id],
        # Credentials' blank says nothing of the mail.
        "status": Status.SENT if row.status == "sent" else Status.PENDING,
        "created": row.created,
        "modified": row.modified,
    }
