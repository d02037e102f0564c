"""Credentials' own catalog, in the shape of Discovery's API."""

from typing import Any

from credentials.apps.catalog.models import Organization, Pathway, Program
from django.contrib.sites.models import Site
from django.db.models import Prefetch

from ...catalog import Catalog
from ...database import primary


def read_catalog(site: Site) -> Catalog:
    """Return the programs and pathways of ``site``, in four queries."""
    # All of it from the primary database, because what a replica does not have yet would be retired.
    organizations = Prefetch("authoring_organizations", primary(Organization.objects.all()))
    linked_programs = Prefetch("programs", primary(Program.objects.all()))
    programs = primary(Program.objects.filter(site=site)).prefetch_related(organizations).order_by("pk")
    pathways = primary(Pathway.objects.filter(site=site)).prefetch_related(linked_programs).order_by("pk")
    return Catalog([_program(row) for row in programs], [_pathway(row) for row in pathways])


def _program(row: Program) -> dict[str, Any]:
    organizations = [{"name": organization.name} for organization in row.authoring_organizations.all()]
    fields = {name: getattr(row, name) for name in ("uuid", "title", "type", "status")}
    return {**fields, "authoring_organizations": organizations}


def _pathway(row: Pathway) -> dict[str, Any]:
    names = ("uuid", "name", "org_name", "email", "pathway_type", "status")
    programs = [{"uuid": program.uuid} for program in row.programs.all()]
    return {**{name: getattr(row, name) for name in names}, "programs": programs}
