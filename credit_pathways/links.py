"""Links for people outside, built from the program's site and never from a request's Host header (ADR 0004)."""

from urllib.parse import urlsplit

from django.contrib.sites.models import Site
from django.urls import reverse

from . import conf
from .models import ProgramCertRecord


def _absolute(site: Site, name: str, shared_record: ProgramCertRecord) -> str:
    path = reverse(f"credit_pathways:{name}", kwargs={"uuid": shared_record.uuid})
    return f"{conf.link_scheme()}://{site.domain}{path}"


def public_record_url(site: Site, shared_record: ProgramCertRecord) -> str:
    """Return the address of the public record, at the front end that shows it."""
    elsewhere = conf.public_record_url()
    if elsewhere:
        return elsewhere.replace("{uuid}", str(shared_record.uuid))
    return _absolute(site, "public_record", shared_record)


def public_record_csv_url(site: Site, shared_record: ProgramCertRecord) -> str:
    """Return the address of the public record as CSV; this service always serves that itself."""
    return _absolute(site, "public_record_csv", shared_record)


def host_name(domain: str) -> str:
    """Return the host of a site's domain, which may carry a port: ``localhost:8000`` gives ``localhost``."""
    return urlsplit(f"//{domain}").hostname or domain
