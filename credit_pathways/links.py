"""Links, built from the program's site and never from a request's Host header (ADR 0004)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.sites.models import Site
from django.urls import NoReverseMatch, get_script_prefix, reverse, set_script_prefix
from django.utils import translation
from django.utils.translation import get_supported_language_variant

from . import conf
from .models import Program, ProgramCertRecord, UserCreditPathway


def _absolute_url(site: Site, name: str, *, language: str | None = None, **kwargs: UUID | int) -> str:
    """Return the same URL in every process and thread. ``language``, by default the current one, may be part of it."""
    with _no_script_name(), translation.override(_host_language(language or translation.get_language())):
        path = _path(f"credit_pathways:{name}", kwargs)
    return conf.link_root().rstrip("/").replace("{domain}", site.domain) + path


def _path(name: str, kwargs: Any) -> str:
    """Return the path in ``ROOT_URLCONF``, because only requests can have another URLconf (``request.urlconf``)."""
    try:
        return reverse(name, settings.ROOT_URLCONF, kwargs=kwargs)
    except NoReverseMatch:
        return reverse(name, kwargs=kwargs)


@contextmanager
def _no_script_name() -> Iterator[None]:
    """Reverse URLs without the path that a web server mounts the host at, which workers and commands do not know."""
    prefix = get_script_prefix()
    set_script_prefix("/")
    try:
        yield
    finally:
        set_script_prefix(prefix)


def _host_language(code: str | None) -> str:
    """Return the variant of a language that the host has URLs for, if they contain a language (``i18n_patterns``)."""
    try:
        return get_supported_language_variant(code or "")
    except LookupError:
        return settings.LANGUAGE_CODE


def public_record_url(site: Site, shared_record: ProgramCertRecord) -> str:
    """Return the URL of the public record, which may be on another front end. It is the same wherever it is shown."""
    url = conf.public_record_url()
    if url:
        return url.replace("{uuid}", shared_record.uuid.hex)
    return _absolute_url(site, "public_record", language=conf.email_language(), uuid=shared_record.uuid)


def public_record_csv_url(site: Site, shared_record: ProgramCertRecord) -> str:
    """Return the URL of the public record as CSV, which this service always serves itself."""
    return _absolute_url(site, "public_record_csv", language=conf.email_language(), uuid=shared_record.uuid)


def receipt_url(site: Site, credit_request: UserCreditPathway) -> str:
    """Return the URL of a request's receipt, for an email to its learner."""
    return _absolute_url(site, "credit_request", id=credit_request.pk)


def program_record_url(program: Program, site: Site) -> str:
    """Return the URL of the Program Record page, for a link on ``site``: absolute if the program is on another."""
    if program.site_id == site.pk:
        return reverse("credit_pathways:program_record", kwargs={"uuid": program.uuid})
    return _absolute_url(program.site, "program_record", uuid=program.uuid)


def records_url(program_uuid: UUID | None = None) -> str | None:
    """Return the URL of a learner's records, or of one of them, on another front end; ``None`` if they are here."""
    url = conf.records_url()
    return url and f"{url.rstrip('/')}/{program_uuid.hex if program_uuid else ''}"


def host_name(domain: str) -> str:
    """Return a site's domain without its port: ``localhost`` for ``localhost:8000``."""
    try:
        return urlsplit(f"//{domain}").hostname or domain
    except ValueError:  # see check_site_domains
        return domain
