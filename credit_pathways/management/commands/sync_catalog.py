"""``manage.py sync_catalog``: copy a site's catalog from one of the sources in ``credit_pathways.catalog``."""

from argparse import ArgumentParser
from typing import Any

from django.apps import apps
from django.contrib.sites.models import Site
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import IntegrityError, OperationalError
from django.template.defaultfilters import pluralize

from credit_pathways.catalog import Catalog, CatalogError, sources
from credit_pathways.catalog.sync import SyncResult, require_programs, synchronize
from credit_pathways.database import matching, primary
from credit_pathways.management.base import CreditPathwaysCommand, progress_bar
from credit_pathways.sanitize import one_line


class Command(CreditPathwaysCommand):
    """Read a complete catalog, then make the site's catalog match it."""

    help = (
        "Copy programs and pathways into the catalog. What is gone from the source is retired; nothing is deleted. "
        "Items that are managed in the admin are not changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        group = parser.add_mutually_exclusive_group(required=True)
        self.readers = {}
        for source in sources():
            flag, keywords = source.OPTION
            self.readers[group.add_argument(flag, **keywords).dest] = source.read_catalog
        # Not a module of the package, because it can only be imported in Credentials.
        group.add_argument("--from-credentials", action="store_true", help="Open edX Credentials' own catalog.")
        self.readers["from_credentials"] = _read_from_credentials
        parser.add_argument("--site", metavar="DOMAIN", help="The site to synchronize (default: the one of SITE_ID).")
        parser.add_argument("--dry-run", action="store_true", help="Print what would change, and change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Synchronize, print the changes, and exit with status 1 if there is a problem with an item."""
        site = _site(options["site"])
        catalog = self._read(site, options)
        try:
            result = synchronize(
                site=site,
                programs=progress_bar(catalog.programs, "programs"),
                pathways=progress_bar(catalog.pathways, "pathways"),
                dry_run=options["dry_run"],
            )
        except CatalogError as error:
            raise CommandError(f"Nothing was changed. {one_line(error)}") from error
        except (OperationalError, IntegrityError) as error:
            raise CommandError(
                f"The database reported an error: {error}\nNothing was changed. Run the command again."
            ) from error
        for line in [*result.changes, *result.skipped]:
            self.stdout.write(one_line(line))
        for line in result.problems:
            self.stderr.write(one_line(line))
        self.stdout.write(_summary(result, dry_run=options["dry_run"]))
        problems = len(result.problems)
        if problems:
            raise CommandError(
                f"{problems} problem{pluralize(problems)} (see above). The items concerned were skipped."
            )

    def _read(self, site: Site, options: dict[str, Any]) -> Catalog:
        """Read all of the catalog, so that the transaction that follows does not wait for another service."""
        given = {name: options[name] for name in self.readers if options[name] not in (None, False)}
        if len(given) != 1:
            raise CommandError("Name one source of the catalog.")
        [(name, value)] = given.items()
        try:
            catalog = self.readers[name](value, site)._asdict()
            read = {kind: list(progress_bar(items, f"reading {kind}")) for kind, items in catalog.items()}
            if name != "from_credentials":  # which is in this database, so it is complete
                require_programs(site, read["programs"])
        except CatalogError as error:
            raise CommandError(
                f"Nothing was changed, because the catalog could not be read: {one_line(error)}"
            ) from error
        return Catalog(**read)


def _summary(result: SyncResult, *, dry_run: bool) -> str:
    changes, skipped = len(result.changes), len(result.skipped)
    retired = f" ({result.retired} retired)" if result.retired else ""
    summary = f"{changes} change{pluralize(changes)}{retired}{', not made (dry run)' if dry_run else ''}."
    return f"{summary} {skipped} item{pluralize(skipped)} skipped." if skipped else summary


def _read_from_credentials(_value: Any, site: Site) -> Catalog:
    if not apps.is_installed("credit_pathways.contrib.credentials"):
        raise CommandError("--from-credentials: this service is not Open edX Credentials.")
    from credit_pathways.contrib.credentials.catalog import read_catalog

    return read_catalog(site)


def _site(domain: str | None) -> Site:
    try:
        sites = matching(primary(Site.objects.filter(domain=domain))) if domain else [Site.objects.get_current()]
        return sites[0]
    except (Site.DoesNotExist, IndexError):
        name = one_line(domain) if domain else "with the id SITE_ID"
        raise CommandError(f"There is no site {name}. Create it first.") from None
    except ImproperlyConfigured:
        raise CommandError("SITE_ID is not set. Name the site with --site DOMAIN.") from None
