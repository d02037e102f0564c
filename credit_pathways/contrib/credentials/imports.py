"""Importing the public links and credit requests of Open edX Credentials' own records app (ADR 0017)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from credentials.apps.catalog import models as host_catalog
from credentials.apps.records import models as host_records
from django.db import transaction

from ... import models
from ...database import alias, primary, retry_once
from ...models import ImportedRow, ProgramCertRecord, UserCreditPathway

#: Rows that are read at once, and written in one transaction.
BATCH_SIZE = 1000

Status = UserCreditPathway.Status

#: The fields that Credentials changes when a learner requests credit again.
UPDATED_FIELDS = ("program_id", "status", "modified")


@dataclass
class ImportResult:
    """The number of rows that were copied and updated, and one line for each row that could not be copied."""

    links: int = 0
    requests: int = 0
    updated: int = 0
    problems: list[str] = field(default_factory=list)

    def __add__(self, other: ImportResult) -> ImportResult:
        return ImportResult(
            self.links + other.links,
            self.requests + other.requests,
            self.updated + other.updated,
            self.problems + other.problems,
        )


@dataclass(frozen=True)
class _CatalogIds:
    """Maps the ids of Credentials' programs and pathways to those of the app, for those in the app's catalog."""

    programs: dict[int, int]
    pathways: dict[int, int]

    @classmethod
    def load(cls) -> _CatalogIds:
        return cls(_match_ids(host_catalog.Program, models.Program), _match_ids(host_catalog.Pathway, models.Pathway))

    def missing(self, row: Any) -> str:
        """Return which object that ``row`` references is not in the catalog; empty if there is none."""
        if row.program_id is not None and row.program_id not in self.programs:
            return f"program {row.program_id}"
        if hasattr(row, "pathway_id") and row.pathway_id not in self.pathways:
            return f"pathway {row.pathway_id}"
        return ""


#: Writes a batch.
Write = Callable[[list[Any], _CatalogIds, ImportResult], None]


def import_rows(*, dry_run: bool = False) -> Iterator[ImportResult]:
    """
    Copy every row that was not imported before, and update the credit requests that were.

    Uuids of links, times and null programs are kept. Nothing is delivered, now or later. Each batch of rows is one
    transaction, which a dry run rolls back. Its result is yielded after that. After an error, run it again.
    """
    for model, write in (
        (host_records.ProgramCertRecord, _import_links),
        (host_records.UserCreditPathway, _import_requests),
    ):
        last_id = 0
        while batch := retry_once(partial(_import_batch, model, write, last_id, dry_run=dry_run)):
            last_id, result = batch
            yield result


def _import_batch(model: Any, write: Write, after_id: int, *, dry_run: bool) -> tuple[int, ImportResult] | None:
    """Return the last id and the result of the rows after ``after_id``; ``None`` if there are none."""
    rows = list(primary(model.objects.filter(pk__gt=after_id)).order_by("pk")[:BATCH_SIZE])
    if not rows:
        return None
    result = ImportResult()
    write(rows, _CatalogIds.load(), result)
    transaction.set_rollback(dry_run, using=alias())
    return rows[-1].pk, result


def _match_ids(host_model: Any, our_model: Any) -> dict[int, int]:
    rows = primary(our_model.objects.all()).values_list("site", "uuid", "pk")
    ours = {(site, uuid): pk for site, uuid, pk in rows}
    theirs = primary(host_model.objects.all()).values_list("site", "uuid", "pk")
    return {pk: ours[site, uuid] for site, uuid, pk in theirs if (site, uuid) in ours}


def _name(row: Any) -> str:
    return f"{row._meta.db_table} {row.pk}"


def _imported_before(rows: list[Any]) -> dict[int, ImportedRow]:
    """Return the imported rows by the id of Credentials' row."""
    table, ids = rows[0]._meta.db_table, [row.pk for row in rows]
    imported = primary(ImportedRow.objects.filter(table=table, row_id__in=ids))
    return {row.row_id: row for row in imported.select_related("credit_request")}


def _importable(rows: Iterable[Any], catalog_ids: _CatalogIds, result: ImportResult) -> Iterator[Any]:
    """Yield the rows whose program and pathway are in the catalog, and report the others."""
    for row in rows:
        if missing := catalog_ids.missing(row):
            result.problems.append(f"{_name(row)}: {missing} is not in the catalog")
        else:
            yield row


def _import_links(rows: list[Any], catalog_ids: _CatalogIds, result: ImportResult) -> None:
    imported_before = _imported_before(rows)
    new = [row for row in _importable(rows, catalog_ids, result) if row.pk not in imported_before]
    existing = primary(ProgramCertRecord.objects.filter(user__in={row.user_id for row in new}))
    shared = {(program, user): uuid for program, user, uuid in existing.values_list("program", "user", "uuid")}
    links = []
    for row in new:
        program_id = catalog_ids.programs[row.program_id]
        uuid = shared.get((program_id, row.user_id))
        if uuid is None:
            links.append(_link(row, program_id))
        elif uuid != row.uuid:
            result.problems.append(f"{_name(row)}: the record is already shared by another link")
    ProgramCertRecord.objects.bulk_create(links)
    ImportedRow.objects.bulk_create(ImportedRow(table=row._meta.db_table, row_id=row.pk) for row in new)
    result.links += len(links)


def _link(row: Any, program_id: int) -> ProgramCertRecord:
    return ProgramCertRecord(
        program_id=program_id, user_id=row.user_id, uuid=row.uuid, created=row.created, modified=row.modified
    )


def _import_requests(rows: list[Any], catalog_ids: _CatalogIds, result: ImportResult) -> None:
    imported_before = _imported_before(rows)
    imported, changed = [], []
    for row in _importable(rows, catalog_ids, result):
        values = _request_values(row, catalog_ids)
        if row.pk not in imported_before:
            # Not in bulk, because MySQL does not return the ids of rows that are created in bulk.
            request = UserCreditPathway.objects.create(**values)
            imported.append(ImportedRow(table=row._meta.db_table, row_id=row.pk, credit_request=request))
        elif (copy := imported_before[row.pk].credit_request) and row.modified > copy.modified:
            for name in UPDATED_FIELDS:
                setattr(copy, name, values[name])
            changed.append(copy)
    ImportedRow.objects.bulk_create(imported)
    UserCreditPathway.objects.bulk_update(changed, UPDATED_FIELDS, batch_size=100)
    result.requests += len(imported)
    result.updated += len(changed)


def _request_values(row: Any, catalog_ids: _CatalogIds) -> dict[str, Any]:
    return {
        "user_id": row.user_id,
        "pathway_id": catalog_ids.pathways[row.pathway_id],
        "program_id": row.program_id and catalog_ids.programs[row.program_id],
        # Credentials' blank status does not say whether the email was sent.
        "status": Status.SENT if row.status == "sent" else Status.PENDING,
        "created": row.created,
        "modified": row.modified,
    }
