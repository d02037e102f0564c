"""Finding what a URL names, on the site that the request came to."""

from uuid import UUID

from django.contrib.sites.models import Site
from django.contrib.sites.shortcuts import get_current_site
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from .models import Program
from .records import ProgramRecord, program_record, public_record


def current_site(request: HttpRequest) -> Site:
    """
    Return the request's site; 404 for a host name that is no site's.

    An object of the request's own: Django's lives as long as the process, and so would what a host's record source
    has looked up from it (Open edX Credentials' site configuration).
    """
    try:
        site = get_current_site(request)
    except Site.DoesNotExist:
        raise Http404("There is no site of this name.") from None
    assert isinstance(site, Site)  # the models need django.contrib.sites, so this is no RequestSite
    columns = [field.attname for field in Site._meta.concrete_fields]
    return Site.from_db(site._state.db, columns, [getattr(site, name) for name in columns])


def program_or_404(request: HttpRequest, uuid: UUID) -> Program:
    """Return the program ``uuid`` of the request's site."""
    site = current_site(request)
    program = get_object_or_404(Program, site=site.pk, uuid=uuid)
    program.site = site
    return program


def record_or_404(request: HttpRequest, uuid: UUID) -> ProgramRecord:
    """Return the requesting user's record in the program ``uuid``."""
    record = program_record(user=request.user, program=program_or_404(request, uuid))
    if record is None:
        raise Http404("You have no record in this program.")
    return record


def public_record_or_404(request: HttpRequest, uuid: UUID) -> ProgramRecord:
    """Return the program record that the public link ``uuid`` opens."""
    record = public_record(uuid=uuid, site=current_site(request))
    if record is None:
        raise Http404("This record is not shared, or no longer.")
    return record
