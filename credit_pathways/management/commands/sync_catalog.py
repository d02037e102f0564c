"""``manage.py sync_catalog``: copy a site's catalog from the Discovery service, or from Credentials."""

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.sites.models import Site
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from credit_pathways.catalog import discovery, files, sync
from credit_pathways.models import Program

KINDS = files.KINDS


class Command(BaseCommand):
    """Read a whole catalog, then make the site's catalog the same."""

    help = "Copy programs and pathways into the catalog. Nothing is deleted: what is gone is retired."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take where the catalog is, the site and the dry run."""
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument(
            "--url",
            metavar="DISCOVERY_API_ROOT",
            help="Discovery's address, or that of its API. Needs credit-pathways[discovery] and the settings "
            "BACKEND_SERVICE_EDX_OAUTH2_PROVIDER_URL, _KEY and _SECRET.",
        )
        source.add_argument(
            "--file",
            type=Path,
            help='JSON: {"programs": ..., "pathways": ...}, each a page of Discovery\'s API or a list of its items.',
        )
        source.add_argument(
            "--from-credentials", action="store_true", help="Open edX Credentials' own catalog of the site."
        )
        parser.add_argument("--site", metavar="DOMAIN", help="The site whose catalog it is; default: SITE_ID's.")
        parser.add_argument("--dry-run", action="store_true", help="Print what would change, and change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Synchronise, print what was done, and end with status 1 if an item was skipped."""
        site = _site(options["site"])
        items = _items(site, options)
        report = sync.synchronize(
            site=site,
            programs=_bar(items["programs"], "programs"),
            pathways=_bar(items["pathways"], "pathways"),
            dry_run=options["dry_run"],
        )
        for line in report.changes:
            self.stdout.write(line)
        for line in report.problems:
            self.stderr.write(line)
        self.stdout.write(f"{len(report.changes)} changes{', not made (dry run)' if options['dry_run'] else ''}.")
        if report.problems:
            raise CommandError(f"{len(report.problems)} problems: what they name was skipped, all else was done.")


def _bar(items: Iterable[Any], name: str) -> Iterable[Any]:
    """Show on a terminal how far the reading of ``items`` is."""
    return tqdm(items, desc=name, disable=None)


def _items(site: Site, options: dict[str, Any]) -> dict[str, list[Any]]:
    if options["url"]:
        return _from_discovery(site, options["url"])
    if options["file"]:
        return _from_file(options["file"])
    return _from_credentials(site)


def _from_discovery(site: Site, root: str) -> dict[str, list[Any]]:
    try:
        items = {kind: list(_bar(discovery.items(root, kind), f"reading {kind}")) for kind in KINDS}
    except discovery.DiscoveryError as error:
        raise CommandError(f"Nothing was changed, for Discovery could not be read. {error}") from error
    if not items["programs"] and Program.objects.filter(site=site, status=Program.Status.ACTIVE).exists():
        raise CommandError("Nothing was changed, for Discovery shows no programs. Check what the OAuth client may see.")
    return items


def _from_file(file: Path) -> dict[str, list[Any]]:
    try:
        return files.items(file)
    except files.CatalogFileError as error:
        raise CommandError(str(error)) from error


def _from_credentials(site: Site) -> dict[str, list[Any]]:
    if not apps.is_installed("credit_pathways.contrib.credentials"):
        raise CommandError("--from-credentials: this service is not Open edX Credentials.")
    from credit_pathways.contrib.credentials import catalog

    return catalog.items(site)


def _site(domain: str | None) -> Site:
    try:
        return Site.objects.get(domain=domain) if domain else Site.objects.get_current()
    except Site.DoesNotExist:
        raise CommandError(f"There is no site {domain or 'with the id SITE_ID'}; make it first.") from None
    except ImproperlyConfigured:
        raise CommandError("SITE_ID is not set: name the site with --site DOMAIN.") from None
