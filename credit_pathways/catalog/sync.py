"""Making a site's catalog match its source: programs, pathways, and the links between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib.sites.models import Site
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from rest_framework import serializers
from rest_framework.serializers import as_serializer_error

from ..database import UnsupportedText, alias, any_text, primary, retry_once
from ..models import Pathway, Program, validate_web_address
from ..sanitize import is_invisible
from . import CatalogError

#: The fields that are copied to each model.
SYNCED_FIELDS = {
    Program: ("title", "type", "school", "status"),
    Pathway: ("name", "org_name", "email", "description", "destination_url", "pathway_type", "status"),
}

#: Valid items by uuid; ``None`` stands for an invalid item.
Items = Mapping[UUID, Mapping[str, Any] | None]


def validate_visible(text: str) -> None:
    """Raise ``ValidationError`` if ``text`` shows nothing: what it names would be missing on pages and in emails."""
    if is_invisible(text):
        raise serializers.ValidationError("This text shows nothing.")


class TextField(serializers.CharField):
    """Refuses numbers, among them NaN, which Django REST framework would convert."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class ItemUUIDField(serializers.UUIDField):
    """Refuses numbers and booleans, for the same reason."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str | UUID):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class OrganizationItemSerializer(serializers.Serializer[Any]):
    """An authoring organization of a program."""

    name = TextField(allow_blank=True)


class ProgramItemSerializer(serializers.Serializer[Any]):
    """An item of Discovery's ``/api/v1/programs/``. Other fields are ignored."""

    uuid = ItemUUIDField()
    title = TextField(max_length=255, validators=[validate_visible])
    type = TextField(max_length=255, allow_blank=True, allow_null=True, default="")
    status = serializers.ChoiceField(Program.Status.choices)
    authoring_organizations = OrganizationItemSerializer(many=True, default=())

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the values of the row."""
        names = [organization["name"] for organization in attrs.pop("authoring_organizations")]
        school = ", ".join(name for name in names if name)
        return {**attrs, "type": attrs["type"] or "", "school": school}


class LinkedProgramItemSerializer(serializers.Serializer[Any]):
    """A program that a pathway is linked to."""

    uuid = ItemUUIDField()


class PathwayItemSerializer(serializers.Serializer[Any]):
    """An item of Discovery's ``/api/v1/pathways/``. Other fields are ignored."""

    uuid = ItemUUIDField()
    name = TextField(max_length=255, validators=[validate_visible])
    org_name = TextField(max_length=255, validators=[validate_visible])
    email = serializers.EmailField(max_length=254, allow_blank=True, allow_null=True, default="")
    # Not all sources have these two. Without them, the row keeps its values.
    description = TextField(allow_blank=True, allow_null=True, required=False)
    destination_url = TextField(
        max_length=2000, allow_blank=True, allow_null=True, required=False, validators=[validate_web_address]
    )
    pathway_type = serializers.ChoiceField(Pathway.Type.choices)
    status = serializers.ChoiceField(Pathway.Status.choices, default=Pathway.Status.PUBLISHED.value)
    programs = LinkedProgramItemSerializer(many=True, default=())

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the values of the row, and the uuids of its programs."""
        empty = {name: "" for name, value in attrs.items() if value is None}
        return {**attrs, **empty, "programs": [item["uuid"] for item in attrs["programs"]]}


@dataclass
class SyncResult:
    """One line for each change, for each item whose row is managed here, and for each problem with an item."""

    changes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    #: How many of the changes retire a row.
    retired: int = 0
    #: The items that the database rejects.
    rejected: frozenset[UUID] = frozenset()

    def __add__(self, other: SyncResult) -> SyncResult:
        return SyncResult(
            self.changes + other.changes,
            self.skipped + other.skipped,
            self.problems + other.problems,
            self.retired + other.retired,
            self.rejected | other.rejected,
        )


def synchronize(*, site: Site, programs: Iterable[Any], pathways: Iterable[Any], dry_run: bool = False) -> SyncResult:
    """
    Make the catalog of ``site`` match its source: create, update, and retire what is gone.

    Everything happens in one transaction, which a dry run rolls back. Nothing is deleted, because credit requests
    reference it. Only rows with ``is_synced`` are changed: a valid item whose row has the flag cleared is reported and
    skipped (ADR 0019). An invalid item, or one that the database rejects, is reported as a problem, and its row, if it
    exists, is left as it is. If nothing has changed, the number of queries does not depend on the number of items.

    Raises:
        CatalogError: nothing was changed, because no program has a uuid, so all would be retired.
        django.db.OperationalError, django.db.IntegrityError: nothing was changed, because of the database or of other
            transactions, twice.
    """
    problems: list[str] = []
    # One serializer for all items, because Django REST framework copies the fields for each instance.
    program_items = _validate_items(ProgramItemSerializer(), "program", programs, problems)
    pathway_items = _validate_items(PathwayItemSerializer(), "pathway", pathways, problems)
    if problems:
        require_programs(site, program_items)

    def write() -> SyncResult:
        lock_catalog(site.pk)
        # In the order in which a credit request locks them: MySQL and MariaDB lock what a new row references.
        pathway_result = _sync_rows(Pathway, site, pathway_items)
        program_result = _sync_rows(Program, site, program_items)
        accepted = {uuid: item for uuid, item in pathway_items.items() if uuid not in pathway_result.rejected}
        link_result = _sync_links(site, accepted)
        transaction.set_rollback(dry_run, using=alias())
        return SyncResult(problems=problems) + program_result + pathway_result + link_result

    return retry_once(write)


def require_programs(site: Site, items: Collection[Any]) -> None:
    """Raise ``CatalogError`` if all of a site's programs are gone, which is more likely a mistake."""
    retirable = primary(Program.objects.filter(site=site, is_synced=True, status=Program.Status.ACTIVE))
    if not items and retirable.exists():
        raise CatalogError("There are no programs, so all would be retired. Check what the source may see.")


def lock_catalog(site_id: int) -> None:
    """Wait for other transactions that have called this for the site, and let later ones wait for this one."""
    # A statement that writes, and writes first, makes SQLite wait too, and PostgreSQL notice that its snapshot is old.
    primary(Site.objects.filter(pk=site_id)).update(name=F("name"))


def _validate_items(
    serializer: serializers.Serializer[Any], kind: str, items: Iterable[Any], problems: list[str]
) -> Items:
    validated: dict[UUID, Mapping[str, Any] | None] = {}
    for number, data in enumerate(items, start=1):
        try:
            item = _validate(serializer, data, validated)
            validated[item["uuid"]] = item
        except serializers.ValidationError as error:
            uuid = data.get("uuid") if isinstance(data, Mapping) else None
            problems.append(f"{kind} {number}, uuid {uuid}: {_error_line(error)}")
            with suppress(ValueError):
                validated.setdefault(UUID(str(uuid)), None)
    return validated


def _validate(serializer: serializers.Serializer[Any], data: Any, validated: Items) -> Mapping[str, Any]:
    item = serializer.run_validation(data)
    if item["uuid"] in validated:
        raise serializers.ValidationError({"uuid": ["Another item has this uuid."]})
    return item


def _error_line(error: serializers.ValidationError) -> str:
    return "; ".join(f"{name}: {json.dumps(details)}" for name, details in as_serializer_error(error).items())


def _sync_rows(model: Any, site: Site, items: Items) -> SyncResult:
    rows = {row.uuid: row for row in primary(model.objects.filter(site=site)).order_by("pk")}
    created = [
        model(site_id=site.pk, uuid=uuid, is_synced=True, **_row_values(model, item))
        for uuid, item in items.items()
        if item and uuid not in rows
    ]
    changes = {row: values for row in rows.values() if row.is_synced and (values := _changes(row, items))}
    skipped = [row for row in rows.values() if not row.is_synced and items.get(row.uuid)]
    rejected = _write(created, model.objects.bulk_create)
    rejected |= _write(list(changes), lambda rows: _update(model, {row: changes[row] for row in rows}))
    changes = {row: values for row, values in changes.items() if row.uuid not in rejected}
    kind = model._meta.model_name
    return SyncResult(
        changes=[f"{kind} {row.uuid} created: {row}" for row in created if row.uuid not in rejected]
        + [f"{kind} {row.uuid} {_verb(values)}: {row}" for row, values in changes.items()],
        skipped=[f"{kind} {row.uuid} skipped, because it is managed in the admin: {row}" for row in skipped],
        problems=[f"{kind} {uuid}: the database rejected it: {error}" for uuid, error in rejected.items()],
        retired=sum(map(_is_retirement, changes.values())),
        rejected=frozenset(rejected),
    )


def _write(rows: list[Any], write: Callable[[list[Any]], Any]) -> dict[UUID, UnsupportedText]:
    """Write ``rows``, together if possible. Return the errors about those that the database rejects, by uuid."""
    try:
        with any_text() if rows else nullcontext():
            write(rows)
    except UnsupportedText as error:
        if len(rows) == 1:
            return {rows[0].uuid: error}
        half = len(rows) // 2
        return _write(rows[:half], write) | _write(rows[half:], write)
    return {}


def _update(model: Any, changes: Mapping[Any, Mapping[str, Any]]) -> None:
    now = timezone.now()
    for row, values in changes.items():
        # Not in bulk, because Django takes several times as long to write that statement, and learners may be waiting.
        # Not if the flag was cleared since the row was read, by code that does not lock the catalog.
        model.objects.filter(pk=row.pk, is_synced=True).update(**values, modified=now)
        for name, value in values.items():
            setattr(row, name, value)


def _is_retirement(values: Mapping[str, Any]) -> bool:
    return values.get("status") == "retired"


def _verb(values: Mapping[str, Any]) -> str:
    return "retired" if _is_retirement(values) else f"updated ({', '.join(values)})"


def _row_values(model: Any, item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in SYNCED_FIELDS[model] if name in item}


def _changes(row: Program | Pathway, items: Items) -> dict[str, Any]:
    """Return the new values of the fields of ``row`` that differ from its item."""
    if row.uuid in items:
        new_values = _row_values(type(row), items[row.uuid] or {})
    else:
        new_values = {} if row.status == Program.Status.DELETED else {"status": "retired"}
    return {name: value for name, value in new_values.items() if value != getattr(row, name)}


def _sync_links(site: Site, items: Items) -> SyncResult:
    """Link each synced pathway that has a valid item to exactly the programs that the item names."""
    programs = dict(primary(Program.objects.filter(site=site)).values_list("uuid", "pk"))
    pathways = dict(primary(Pathway.objects.filter(site=site, is_synced=True)).values_list("uuid", "pk"))
    synced = {uuid: item for uuid, item in items.items() if item and uuid in pathways}
    named = {(pathway, program) for pathway, item in synced.items() for program in item["programs"]}
    wanted = {(pathway, program) for pathway, program in named if program in programs}
    link = Pathway.programs.through
    links = primary(link.objects.filter(pathway__site=site, program__site=site))
    rows = links.values_list("pathway__uuid", "program__uuid", "pk")
    existing = {(pathway, program): pk for pathway, program, pk in rows if pathway in synced}
    added, removed = sorted(wanted - existing.keys()), sorted(existing.keys() - wanted)
    link.objects.bulk_create(link(pathway_id=pathways[uuid], program_id=programs[program]) for uuid, program in added)
    link.objects.filter(pk__in=[existing[pair] for pair in removed]).delete()
    changes = [f"pathway {pathway} linked to program {program}" for pathway, program in added]
    changes += [f"pathway {pathway} unlinked from program {program}" for pathway, program in removed]
    unknown = sorted(named - wanted)
    problems = [f"pathway {pathway}: programs: {program} is not in the catalog" for pathway, program in unknown]
    return SyncResult(changes=changes, problems=problems)
