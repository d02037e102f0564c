"""Look up what a URL names on the request's site, or raise ``Http404``."""

from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.sites.models import Site
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from . import database
from .models import Program
from .records import ProgramRecord, program_record, public_record
from .users import Learner
from .users import username as user_name


def get_site_or_404(request: HttpRequest) -> Site:
    """
    Return a new ``Site`` object for the request's site.

    Django caches its ``Site`` objects for the life of the process. On such an object, whatever a host's record source
    caches would never expire; Open edX Credentials caches ``site.siteconfiguration`` there.
    """
    try:
        site = get_current_site(request)
    except Site.DoesNotExist:
        raise Http404("No site has this host name.") from None
    assert isinstance(site, Site)  # not a RequestSite, because the models need django.contrib.sites
    columns = [field.attname for field in Site._meta.concrete_fields]
    return Site.from_db(site._state.db, columns, [getattr(site, name) for name in columns])


def get_program_or_404(request: HttpRequest, uuid: UUID) -> Program:
    """
    Return the program with this ``uuid``.

    Its site is read from the database, because the domain in Django's cache may have changed in another process.
    """
    programs = database.primary(Program.objects.select_related("site"))
    return get_object_or_404(programs, site=get_site_or_404(request).pk, uuid=uuid)


def get_record_or_404(request: HttpRequest, uuid: UUID) -> ProgramRecord:
    """Return the requesting user's record in the program with this ``uuid``."""
    record = program_record(user=request.user, program=get_program_or_404(request, uuid))
    if record is None:
        raise Http404("You have no record in this program.")
    return record


def get_public_record_or_404(request: HttpRequest, uuid: UUID) -> ProgramRecord:
    """Return the program record that was shared under this ``uuid``."""
    record = public_record(uuid=uuid, site=get_site_or_404(request))
    if record is None:
        raise Http404("This record is not shared.")
    return record


def get_learner_or_404(username: str) -> Learner:
    """Return the user with exactly this ``username``."""
    learner = find_learner(username)
    if learner is None:
        raise Http404("There is no user with this username.")
    return learner


def find_learner(username: str) -> Learner | None:
    """
    Return the user with exactly this ``username``, or ``None``.

    It is compared here, because some database collations ignore case, accents and trailing spaces.
    """
    model = get_user_model()
    try:
        # Not the default manager, which may leave out inactive accounts.
        users = database.primary(model._base_manager.filter(**{model.USERNAME_FIELD: username}))
    except (ValueError, ValidationError):  # not a number or a UUID, which this host uses
        return None
    return next((user for user in database.matching(users) if user_name(user) == username), None)
