"""Copying a site's catalog from the Discovery service: programs, pathways, and which pathway serves which program."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib.sites.models import Site
from django.db import transaction
from django.utils import timezone
from rest_framework import serializers
from rest_framework.serializers import as_serializer_error

from ..models import Pathway, Program

#: Fields that are copied, of each model.
COPIED = {
    Program: ("title", "type", "school", "status"),
    Pathway: ("name", "org_name", "email", "pathway_type", "status"),
}

#: Valid items by uuid; ``None`` stands for an item that is there but not valid.
Items = Mapping[UUID, Mapping[str, Any] | None]


class OrganizationItem(serializers.Serializer[Any]):
    """An authoring organisation of a program."""

    name = serializers.CharField(allow_blank=True)


class ProgramItem(serializers.Serializer[Any]):
    """An item of Discovery's ``/api/v1/programs/``; what is not named here is not read."""

    uuid = serializers.UUIDField()
    title = serializers.CharField(max_length=255)
    type = serializers.CharField(max_length=255, allow_blank=True, allow_null=True, default="")
    status = serializers.ChoiceField(Program.Status.choices)
    authoring_organizations = OrganizationItem(many=True, default=())

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the values of the row."""
        names = [organization["name"] for organization in attrs.pop("authoring_organizations")]
        school = ", ".join(name for name in names if name)
        return {**attrs, "type": attrs["type"] or "", "school": school}


class LinkedProgramItem(serializers.Serializer[Any]):
    """A program that a pathway serves."""

    uuid = serializers.UUIDField()


class PathwayItem(serializers.Serializer[Any]):
    """An item of Discovery's ``/api/v1/pathways/``; what is not named here is not read."""

    uuid = serializers.UUIDField()
    name = serializers.CharField(max_length=255)
    org_name = serializers.CharField(max_length=255)
    email = serializers.EmailField(max_length=254, allow_blank=True, allow_null=True, default="")
    pathway_type = serializers.ChoiceField(Pathway.Type.choices)
    status = serializers.ChoiceField(Pathway.Status.choices, default=Pathway.Status.PUBLISHED.value)
    programs = LinkedProgramItem(many=True, default=())

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the values of the row, and the uuids of its programs."""
        return {**attrs, "email": attrs["email"] or "", "programs": [item["uuid"] for item in attrs["programs"]]}


@dataclass
class Report:
    """What a synchronisation did, a line for each change, and what was wrong with the items, a line for each."""

    changes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def synchronize(*, site: Site, programs: Iterable[Any], pathways: Iterable[Any], dry_run: bool = False) -> Report:
    """
    Make the catalog of ``site`` what Discovery has: create, update, and retire what is gone.

    One transaction, undone at the end of a dry run. Nothing is deleted, for requests point at it. An item that is
    not valid is named among the problems and skipped, and its row, if there is one, stays as it is. With nothing to
    change, the number of statements does not depend on the number of items.
    """
    report = Report()
    with transaction.atomic():
        _sync_rows(Program, site, _valid(ProgramItem, programs, "program", report), report)
        pathway_items = _valid(PathwayItem, pathways, "pathway", report)
        _sync_rows(Pathway, site, pathway_items, report)
        _sync_links(site, pathway_items, report)
        transaction.set_rollback(dry_run)
    return report


def _valid(item_type: type[ProgramItem | PathwayItem], items: Iterable[Any], kind: str, report: Report) -> Items:
    found: dict[UUID, Mapping[str, Any] | None] = {}
    shape = item_type()  # one for all: Django REST framework copies the fields of each
    for number, data in enumerate(items, start=1):
        try:
            item = shape.run_validation(data)
            problem = "uuid: is there twice" if item["uuid"] in found else ""
        except serializers.ValidationError as error:
            problem = _problem(as_serializer_error(error))
        if not problem:
            found[item["uuid"]] = item
            continue
        named = data.get("uuid") if isinstance(data, Mapping) else None
        report.problems.append(f"{kind} {number}, uuid {named}: {problem}")
        with suppress(ValueError):
            found.setdefault(UUID(str(named)), None)
    return found


def _problem(errors: Mapping[str, Any]) -> str:
    """Return DRF's errors in one line, each with its field."""
    return "; ".join(f"{name}: {json.dumps(error)}" for name, error in errors.items())


def _sync_rows(model: Any, site: Site, items: Items, report: Report) -> None:
    rows = {row.uuid: row for row in model.objects.filter(site=site)}
    created = [
        model(site=site, uuid=uuid, **{name: item[name] for name in COPIED[model]})
        for uuid, item in items.items()
        if item and uuid not in rows
    ]
    changed = [row for row in rows.values() if _change(row, items)]
    model.objects.bulk_create(created)
    model.objects.bulk_update(changed, [*COPIED[model], "modified"], batch_size=100)
    report.changes += [f"{model._meta.model_name} {row.uuid} created: {row}" for row in created]
    report.changes += [f"{model._meta.model_name} {row.uuid} now {row.status}: {row}" for row in changed]


def _change(row: Program | Pathway, items: Items) -> bool:
    """Set ``row``, not saved, to what its item says, or to retired if its item is gone; return whether that differs."""
    before = {name: getattr(row, name) for name in COPIED[type(row)]}
    gone = row.uuid not in items and row.status != Program.Status.DELETED
    after = {"status": "retired"} if gone else items.get(row.uuid) or {}
    for name in before.keys() & after.keys():
        setattr(row, name, after[name])
    row.modified = timezone.now()
    return any(getattr(row, name) != value for name, value in before.items())


def _sync_links(site: Site, items: Items, report: Report) -> None:
    """Link each valid pathway to the programs that its item names, and to no others."""
    programs = dict(Program.objects.filter(site=site).values_list("uuid", "pk"))
    pathways = dict(Pathway.objects.filter(site=site).values_list("uuid", "pk"))
    named = {(uuid, program) for uuid, item in items.items() if item for program in item["programs"]}
    wanted = {(pathway, program) for pathway, program in named if program in programs}
    link = Pathway.programs.through
    rows = link.objects.filter(pathway__site=site, program__site=site).values_list(
        "pathway__uuid", "program__uuid", "pk"
    )
    linked = {(pathway, program): pk for pathway, program, pk in rows if items.get(pathway)}
    added, stale = sorted(wanted - linked.keys()), sorted(linked.keys() - wanted)
    link.objects.bulk_create(link(pathway_id=pathways[a], program_id=programs[b]) for a, b in added)
    link.objects.filter(pk__in=[linked[pair] for pair in stale]).delete()
    report.changes += [f"pathway {pathway} serves program {program}" for pathway, program in added]
    report.changes += [f"pathway {pathway} serves program {program} no more" for pathway, program in stale]
    unknown = sorted(named - wanted)
    report.problems += [f"pathway {pathway}: programs: {program} is not in the catalog" for pathway, program in unknown]
