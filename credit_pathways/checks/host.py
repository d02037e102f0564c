"""Checks of what the app needs from its host."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.messages.middleware import MessageMiddleware
from django.core.checks import CheckMessage, Error, Warning
from django.db import DatabaseError, router
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from .. import conf

#: A host name, which may contain non-ASCII letters, or an IPv6 address; and a port.
_LABEL = r"[\w-]{1,63}"
DOMAIN = re.compile(rf"({_LABEL}(\.{_LABEL})*|\[[0-9a-fA-F:.]+\])(:[0-9]{{1,5}})?")


def check_messages_installed() -> list[CheckMessage]:
    """E007: the messages framework, which shows learners the outcome of a request, is installed."""
    if apps.is_installed("django.contrib.messages"):
        return []
    text = "django.contrib.messages is not installed, so learners cannot see the outcome of a request."
    hint = "Add it to INSTALLED_APPS, and its middleware to MIDDLEWARE."
    return [Error(text, hint=hint, id="credit_pathways.E007")]


def check_message_middleware() -> list[CheckMessage]:
    """E014: the middleware of the messages framework is there. Without it, a click would fail after it sent emails."""
    if any(_is_message_middleware(path) for path in settings.MIDDLEWARE):
        return []
    text = "MIDDLEWARE lacks the messages framework's, so a learner's request ends in an error after it was sent."
    hint = 'Add "django.contrib.messages.middleware.MessageMiddleware" to MIDDLEWARE, after the session middleware.'
    return [Error(text, hint=hint, id="credit_pathways.E014")]


def _is_message_middleware(path: str) -> bool:
    try:
        middleware = import_string(path)
    except ImportError:  # Django reports it
        return False
    return isinstance(middleware, type) and issubclass(middleware, MessageMiddleware)


def check_time_zones() -> list[CheckMessage]:
    """E011: time zone support is on, because reports and exports use UTC."""
    if settings.USE_TZ:
        return []
    text = "USE_TZ is False, so the times of credit requests are ambiguous."
    return [Error(text, hint="Set USE_TZ = True.", id="credit_pathways.E011")]


def check_databases() -> list[CheckMessage]:
    """E013: requests, users and sites, which reference each other, are written to the same database."""
    models = [*apps.get_app_config("credit_pathways").get_models(), get_user_model(), apps.get_model("sites.Site")]
    labels = {router.db_for_write(model): model._meta.label for model in reversed(models)}
    if len(labels) == 1:
        return []
    places = ", ".join(f"{label} to {alias!r}" for alias, label in labels.items())
    text = f"Models that reference each other are written to different databases: {places}."
    hint = "Change DATABASE_ROUTERS, so that the app, the users and the sites are written to the same database."
    return [Error(text, hint=hint, id="credit_pathways.E013")]


def check_email_channel() -> list[CheckMessage]:
    """W001: edx-ace's channel for transactional email, or else its default one, is enabled."""
    names = ("ACE_CHANNEL_TRANSACTIONAL_EMAIL", "ACE_CHANNEL_DEFAULT_EMAIL")
    channel = next(filter(None, (getattr(settings, name, None) for name in names)), None)
    if channel and channel in (getattr(settings, "ACE_ENABLED_CHANNELS", None) or []):
        return []
    text = "edx-ace has no email channel, so no credit request can be sent."
    hint = 'Set ACE_CHANNEL_DEFAULT_EMAIL = "django_email" and add "django_email" to ACE_ENABLED_CHANNELS.'
    return [Warning(text, hint=hint, id="credit_pathways.W001")]


def check_urls() -> list[CheckMessage]:
    """W009: the app's URLs are in ``ROOT_URLCONF``, where workers and commands look for them."""
    urlconf: Any = getattr(settings, "ROOT_URLCONF", ())
    try:
        reverse("credit_pathways:index", urlconf)
    except NoReverseMatch:
        text = "ROOT_URLCONF has no namespace credit_pathways, so no email can contain a link."
        hint = 'Add path("records/", include("credit_pathways.urls")) to its urlpatterns, not inside another namespace.'
        return [Warning(text, hint=hint, id="credit_pathways.W009")]
    return []


def _site_domains(databases: Iterable[str] | None) -> list[str]:
    """Return the domains that emails contain; none if their database is not to be checked, or not migrated yet."""
    site = apps.get_model("sites.Site")
    alias = router.db_for_write(site)
    is_used = "{domain}" in conf.link_root() or not conf.from_address()
    if alias not in (databases or ()) or not is_used:
        return []
    try:
        return list(site._default_manager.using(alias).values_list("domain", flat=True))
    except DatabaseError:
        return []


def check_site_domains(
    app_configs: Sequence[AppConfig] | None, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """W007 (``check --database``): each site's domain is a host name, because links and From addresses contain it."""
    hint = "Change the domain in the admin, for example to credentials.example.org, without https:// and a path."
    texts = [
        f"The domain of a site is {domain!r}, so links in emails are broken."
        for domain in _site_domains(databases)
        if not DOMAIN.fullmatch(domain)
    ]
    return [Warning(text, hint=hint, id="credit_pathways.W007") for text in texts]


def check_example_domain(
    app_configs: Sequence[AppConfig] | None, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """W008 (``check --deploy --database``): no site has the domain that Django gives the first one."""
    if "example.com" not in {domain.lower().split(":")[0] for domain in _site_domains(databases)}:
        return []
    text = "The domain of a site is example.com, so links in its emails do not lead to this service."
    hint = "Change the domain in the admin to this service's host name."
    return [Warning(text, hint=hint, id="credit_pathways.W008")]
