"""System checks of the settings, each with an id that stays; ``docs/how-to/install.rst`` lists them."""

import math
from collections.abc import Callable, Sequence
from email.utils import parseaddr
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email
from django.utils.module_loading import import_string
from rest_framework.throttling import SimpleRateThrottle

from . import conf

SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


def _error(number: int, setting: str, problem: str, hint: str) -> Error:
    return Error(f"CREDIT_PATHWAYS_{setting} {problem}.", hint=hint, id=f"credit_pathways.E{number:03}")


def check_record_source() -> list[CheckMessage]:
    """E001: the record source is a class that can be imported and has a RecordSource's methods."""
    path = conf.record_source()
    try:
        source = import_string(path)
    except (ImportError, AttributeError, TypeError) as error:
        return [_error(1, "RECORD_SOURCE", f"cannot be imported: {error}", "Give the dotted path of a class.")]
    needed = ("progress", "programs", "site_configuration")
    if isinstance(source, type) and all(callable(getattr(source, name, None)) for name in needed):
        return []
    return [_error(1, "RECORD_SOURCE", f"names {path}, not a record source", "Subclass records.RecordSource.")]


def check_delivery() -> list[CheckMessage]:
    """E002: the delivery is one that this version has."""
    if conf.delivery() in conf.DELIVERIES:
        return []
    return [_error(2, "DELIVERY", f"is {conf.delivery()!r}", f"Use one of: {', '.join(conf.DELIVERIES)}.")]


def check_celery() -> list[CheckMessage]:
    """E008, E009, W003: delivery by Celery has Celery, limits that make sense, and a broker."""
    if conf.delivery() != "celery":
        return []
    try:
        from celery import current_app
    except ImportError:
        return [_error(8, "DELIVERY", "is 'celery', which is not installed", "pip install credit-pathways[celery]")]
    if current_app.conf.broker_url or current_app.conf.broker_write_url:
        return _celery_limits()
    hint = "Set CELERY_BROKER_URL, and import your Celery app in the __init__.py beside your settings."
    return [*_celery_limits(), Warning("Celery has no broker.", hint=hint, id="credit_pathways.W003")]


def _celery_limits() -> list[CheckMessage]:
    """Return what is wrong with the settings of the task."""
    limits = [
        ("ATTEMPTS", conf.celery_attempts(), 1),
        ("BACKOFF", conf.celery_backoff(), 0),
        ("TIME_LIMIT", conf.celery_time_limit(), 1),
    ]
    bad: list[CheckMessage] = [
        _error(9, f"CELERY_{name}", f"is {value!r}", f"Use a number, {least} or more.")
        for name, value, least in limits
        if type(value) not in {int, float} or not least <= value < math.inf
    ]
    queue = conf.celery_queue()
    if not isinstance(queue, str) or not queue:
        bad.append(_error(9, "CELERY_QUEUE", f"is {queue!r}", "Use the name of a queue."))
    return bad


def check_request_rate() -> list[CheckMessage]:
    """E003: the request rate is ``None`` or a rate as Django REST framework writes it."""
    rate = conf.request_rate()
    try:
        good = rate is None or type("Probe", (SimpleRateThrottle,), {"rate": rate})().num_requests > 0
    except (ValueError, LookupError, AttributeError, ImproperlyConfigured):
        good = False
    if not good:
        return [_error(3, "REQUEST_RATE", f"is {rate!r}", 'Use for example "15/minute", or None.')]
    return []


def check_link_scheme() -> list[CheckMessage]:
    """E004: links in mails are web links."""
    if conf.link_scheme() in ("http", "https"):
        return []
    return [_error(4, "LINK_SCHEME", f"is {conf.link_scheme()!r}", 'Use "https" or "http".')]


def check_public_record_url() -> list[CheckMessage]:
    """E005: the other front end's address says where the record's uuid goes."""
    url = conf.public_record_url()
    if url is None or ("{uuid}" in str(url) and str(url).startswith(("http://", "https://"))):
        return []
    return [
        _error(5, "PUBLIC_RECORD_URL", f"is {url!r}", 'Use for example "https://record.example.com/shared/{uuid}".')
    ]


def check_from_address() -> list[CheckMessage]:
    """E006: the From address, where one is set, is an email address, with or without a name."""
    address = getattr(settings, "CREDIT_PATHWAYS_FROM_ADDRESS", None)
    try:
        if address:
            validate_email(parseaddr(str(address))[1])
    except ValidationError:
        return [_error(6, "FROM_ADDRESS", f"is {address!r}", 'Use for example "registry@example.com".')]
    return []


def check_messages_installed() -> list[CheckMessage]:
    """E007: the framework that tells learners what happened is installed."""
    if apps.is_installed("django.contrib.messages"):
        return []
    text = "django.contrib.messages is not installed, so learners cannot be told what became of a request."
    return [Error(text, hint="Add it to INSTALLED_APPS, with its middleware.", id="credit_pathways.E007")]


def check_time_zones() -> list[CheckMessage]:
    """E011: times have a zone; reports and exports count in UTC."""
    if settings.USE_TZ:
        return []
    return [Error("USE_TZ is off, so nobody can tell when credit was requested.", id="credit_pathways.E011")]


def check_email_channel() -> list[CheckMessage]:
    """W001: edx-ace has its default email channel enabled."""
    channel = getattr(settings, "ACE_CHANNEL_DEFAULT_EMAIL", None)
    if channel and channel in (getattr(settings, "ACE_ENABLED_CHANNELS", None) or []):
        return []
    text = "edx-ace has no email channel: no credit request can be sent."
    hint = 'Set ACE_CHANNEL_DEFAULT_EMAIL = "django_email" and list it in ACE_ENABLED_CHANNELS.'
    return [Warning(text, hint=hint, id="credit_pathways.W001")]


def _smtp_timeout() -> Any:
    """Return the timeout of the default mailer (Django 6.1's MAILERS, or EMAIL_TIMEOUT); 0 where it needs none."""
    mailers = getattr(settings, "MAILERS", None)
    if mailers is not None:
        mailer = mailers.get("default", {"BACKEND": "none"})
        backend, timeout = mailer.get("BACKEND", SMTP_BACKEND), mailer.get("OPTIONS", {}).get("timeout")
    else:
        backend, timeout = settings.EMAIL_BACKEND, settings.EMAIL_TIMEOUT
    return timeout if backend == SMTP_BACKEND else 0


def check_email_timeout() -> list[CheckMessage]:
    """W002 (``check --deploy``): a relay that says nothing cannot hold a web worker for ever."""
    if _smtp_timeout() is not None:
        return []
    text = "There is no timeout for the mail server: one that hangs holds the learner's request for ever."
    return [Warning(text, hint="Set EMAIL_TIMEOUT, in seconds; 10 is plenty.", id="credit_pathways.W002")]


CHECKS: tuple[Callable[[], list[CheckMessage]], ...] = (
    check_record_source,
    check_delivery,
    check_celery,
    check_request_rate,
    check_link_scheme,
    check_public_record_url,
    check_from_address,
    check_messages_installed,
    check_time_zones,
    check_email_channel,
)


@register(Tags.compatibility)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Run every check that matters on any machine."""
    return [message for check in CHECKS for message in check()]


@register(Tags.compatibility, deploy=True)
def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Run the checks that matter where real mail leaves."""
    return check_email_timeout()
