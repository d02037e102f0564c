"""Links, built from the program's site and never from a request's Host header (ADR 0004)."""

from urllib.parse import urlsplit
from uuid import UUID

from django.contrib.sites.models import Site
from django.urls import reverse

from . import conf
from .models import Program, ProgramCertRecord, UserCreditPathway


def _absolute_url(site: Site, name: str, **kwargs: UUID | int) -> str:
    path = reverse(f"credit_pathways:{name}", kwargs=kwargs)
    return f"{conf.link_scheme()}://{site.domain}{path}"


def public_record_url(site: Site, shared_record: ProgramCertRecord) -> str:
    """Return the URL of the public record, which may be on another front end."""
    url = conf.public_record_url()
    if url:
        return url.replace("{uuid}", str(shared_record.uuid))
    return _absolute_url(site, "public_record", uuid=shared_record.uuid)


def public_record_csv_url(site: Site, shared_record: ProgramCertRecord) -> str:
    """Return the URL of the public record as CSV, which this service always serves itself."""
    return _absolute_url(site, "public_record_csv", uuid=shared_record.uuid)


def receipt_url(site: Site, credit_request: UserCreditPathway) -> str:
    """Return the URL of a request's receipt, for an email to its learner."""
    return _absolute_url(site, "credit_request", id=credit_request.pk)


def program_record_url(program: Program, site: Site) -> str:
    """Return the URL of the Program Record page, for a link on ``site``: absolute if the program is on another."""
    if program.site_id == site.pk:
        return reverse("credit_pathways:program_record", kwargs={"uuid": program.uuid})
    return _absolute_url(program.site, "program_record", uuid=program.uuid)


def host_name(domain: str) -> str:
    """Return a site's domain without its port: ``localhost`` for ``localhost:8000``."""
    return urlsplit(f"//{domain}").hostname or domain
