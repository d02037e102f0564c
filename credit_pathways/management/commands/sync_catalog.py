"""``manage.py sync_catalog``: copy a site's catalog from the Discovery service."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.sites.models import Site
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from credit_pathways import catalog


class Command(BaseCommand):
    """Read a catalog file and make the site's catalog the same."""

    help = "Copy programs and pathways into the catalog. Nothing is deleted: what is gone is retired."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file, the site and the dry run."""
        parser.add_argument(
            "--file",
            type=Path,
            required=True,
            help='JSON: {"programs": ..., "pathways": ...}, each a page of Discovery\'s API or a list of its items.',
        )
        parser.add_argument("--site", metavar="DOMAIN", help="The site whose catalog it is; default: SITE_ID's.")
        parser.add_argument("--dry-run", action="store_true", help="Print what would change, and change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Synchronise, print what was done, and end with status 1 if an item was skipped."""
        items = _items(options["file"])
        report = catalog.synchronize(
            site=_site(options["site"]),
            programs=tqdm(items["programs"], desc="programs", disable=None),
            pathways=tqdm(items["pathways"], desc="pathways", disable=None),
            dry_run=options["dry_run"],
        )
        for line in report.changes:
            self.stdout.write(line)
        for line in report.problems:
            self.stderr.write(line)
        self.stdout.write(f"{len(report.changes)} changes{', not made (dry run)' if options['dry_run'] else ''}.")
        if report.problems:
            raise CommandError(f"{len(report.problems)} problems: what they name was skipped, all else was done.")


def _items(file: Path) -> dict[str, list[Any]]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return {kind: _results(data[kind]) for kind in ("programs", "pathways")}
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{file} is not a whole catalog in JSON: {error}.") from error
    except (KeyError, TypeError) as error:
        raise CommandError(f'{file} needs "programs" and "pathways", each a page or a list of items.') from error


def _results(page: Any) -> list[Any]:
    """Return the items of a plain list, or of a page of Discovery's API that is the only one."""
    if isinstance(page, dict) and page.get("next"):
        raise ValueError("there are more pages, and what they hold would be retired")
    results = page["results"] if isinstance(page, dict) else page
    if not isinstance(results, list):
        raise TypeError("not a list")
    return results


def _site(domain: str | None) -> Site:
    try:
        return Site.objects.get(domain=domain) if domain else Site.objects.get_current()
    except Site.DoesNotExist:
        raise CommandError(f"There is no site {domain or 'with the id SITE_ID'}; make it first.") from None
    except ImproperlyConfigured:
        raise CommandError("SITE_ID is not set: name the site with --site DOMAIN.") from None
