"""System checks for the settings. Their ids are stable and listed in ``docs/how-to/install.rst``."""

import math
from collections.abc import Sequence
from email.utils import parseaddr
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.module_loading import import_string
from rest_framework.throttling import SimpleRateThrottle

from . import conf

SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


def _error(number: int, setting: str, problem: str, hint: str) -> Error:
    return Error(f"CREDIT_PATHWAYS_{setting} {problem}.", hint=hint, id=f"credit_pathways.E{number:03}")


def check_record_source() -> list[CheckMessage]:
    """E001: the record source can be imported and has the methods of ``RecordSource``."""
    path = conf.record_source()
    try:
        source = import_string(path)
    except (ImportError, AttributeError, TypeError) as error:
        return [_error(1, "RECORD_SOURCE", f"cannot be imported: {error}", "Set it to the dotted path of a class.")]
    methods = ("progress", "programs", "site_configuration", "learner_language")
    if isinstance(source, type) and all(callable(getattr(source, name, None)) for name in methods):
        return []
    hint = "Set it to a subclass of credit_pathways.records.RecordSource."
    return [_error(1, "RECORD_SOURCE", f"is {path!r}, which is not a record source", hint)]


def check_delivery() -> list[CheckMessage]:
    """E002: the delivery mode exists."""
    if conf.delivery() in conf.DELIVERY_MODES:
        return []
    hint = f"Set it to {' or '.join(map(repr, conf.DELIVERY_MODES))}."
    return [_error(2, "DELIVERY", f"cannot be {conf.delivery()!r}", hint)]


def check_celery() -> list[CheckMessage]:
    """E008, E009, W003: if Celery delivers, it is installed, has valid limits, and has a broker."""
    if conf.delivery() != "celery":
        return []
    try:
        from celery import current_app
    except ImportError:
        hint = "Run pip install credit-pathways[celery]."
        return [_error(8, "DELIVERY", "is 'celery', but Celery is not installed", hint)]
    if current_app.conf.broker_url or current_app.conf.broker_write_url:
        return _check_celery_limits()
    hint = "Set CELERY_BROKER_URL, and import your Celery app in the __init__.py of your project package."
    return [*_check_celery_limits(), Warning("Celery has no broker.", hint=hint, id="credit_pathways.W003")]


def _check_celery_limits() -> list[CheckMessage]:
    limits = [
        ("ATTEMPTS", conf.celery_attempts(), 1),
        ("BACKOFF", conf.celery_backoff(), 0),
        ("TIME_LIMIT", conf.celery_time_limit(), 1),
    ]
    errors: list[CheckMessage] = [
        _error(9, f"CELERY_{name}", f"cannot be {value!r}", f"Set it to a number not less than {minimum}.")
        for name, value, minimum in limits
        if type(value) not in {int, float} or not minimum <= value < math.inf
    ]
    queue = conf.celery_queue()
    if not isinstance(queue, str) or not queue:
        errors.append(_error(9, "CELERY_QUEUE", f"cannot be {queue!r}", "Set it to the name of a queue."))
    return errors


def check_request_rate() -> list[CheckMessage]:
    """E003: the request rate is ``None`` or a rate as Django REST framework writes it."""
    rate = conf.request_rate()
    try:
        is_valid = rate is None or SimpleRateThrottle.parse_rate(None, rate)[0] > 0  # type: ignore[operator, arg-type]
    except (ValueError, LookupError, AttributeError):
        is_valid = False
    if is_valid:
        return []
    return [_error(3, "REQUEST_RATE", f"cannot be {rate!r}", 'Set it to a rate such as "15/minute", or None.')]


def check_link_scheme() -> list[CheckMessage]:
    """E004: links in emails use HTTP or HTTPS."""
    if conf.link_scheme() in ("http", "https"):
        return []
    return [_error(4, "LINK_SCHEME", f"cannot be {conf.link_scheme()!r}", 'Set it to "https" or "http".')]


def check_public_record_url() -> list[CheckMessage]:
    """E005: the URL of public records is absolute and contains ``{uuid}``."""
    url = conf.public_record_url()
    if url is None or ("{uuid}" in str(url) and str(url).startswith(("http://", "https://"))):
        return []
    hint = 'Set it to a URL such as "https://record.example.com/shared/{uuid}".'
    return [_error(5, "PUBLIC_RECORD_URL", f"cannot be {url!r}", hint)]


def check_from_address() -> list[CheckMessage]:
    """E006: the From address is an email address, with or without a display name."""
    address = conf.from_address()
    try:
        if address:
            validate_email(parseaddr(str(address))[1])
    except ValidationError:
        return [_error(6, "FROM_ADDRESS", f"cannot be {address!r}", 'Set it to one such as "registry@example.com".')]
    return []


def check_learner_emails() -> list[CheckMessage]:
    """E012: the choice of emails to learners exists."""
    if conf.learner_emails() in conf.LEARNER_EMAILS:
        return []
    hint = f"Set it to {', '.join(map(repr, conf.LEARNER_EMAILS))}."
    return [_error(12, "LEARNER_EMAILS", f"cannot be {conf.learner_emails()!r}", hint)]


def check_messages_installed() -> list[CheckMessage]:
    """E007: the messages framework, which shows learners the outcome of a request, is installed."""
    if apps.is_installed("django.contrib.messages"):
        return []
    text = "django.contrib.messages is not installed, so learners cannot see the outcome of a request."
    hint = "Add it to INSTALLED_APPS, and its middleware to MIDDLEWARE."
    return [Error(text, hint=hint, id="credit_pathways.E007")]


def check_time_zones() -> list[CheckMessage]:
    """E011: time zone support is on, because reports and exports use UTC."""
    if settings.USE_TZ:
        return []
    text = "USE_TZ is False, so the times of credit requests are ambiguous."
    return [Error(text, hint="Set USE_TZ = True.", id="credit_pathways.E011")]


def check_email_channel() -> list[CheckMessage]:
    """W001: edx-ace's default email channel is set and enabled."""
    channel = getattr(settings, "ACE_CHANNEL_DEFAULT_EMAIL", None)
    if channel and channel in (getattr(settings, "ACE_ENABLED_CHANNELS", None) or []):
        return []
    text = "edx-ace has no email channel, so no credit request can be sent."
    hint = 'Set ACE_CHANNEL_DEFAULT_EMAIL = "django_email" and add "django_email" to ACE_ENABLED_CHANNELS.'
    return [Warning(text, hint=hint, id="credit_pathways.W001")]


def _smtp_timeout() -> Any:
    """Return the timeout of the default mailer (``MAILERS`` in Django 6.1, or ``EMAIL_TIMEOUT``); 0 if not SMTP."""
    mailers = getattr(settings, "MAILERS", None)
    if mailers is not None:
        mailer = mailers.get("default", {"BACKEND": "none"})
        backend, timeout = mailer.get("BACKEND", SMTP_BACKEND), mailer.get("OPTIONS", {}).get("timeout")
    else:
        backend, timeout = settings.EMAIL_BACKEND, settings.EMAIL_TIMEOUT
    return timeout if backend == SMTP_BACKEND else 0


@register(Tags.compatibility, deploy=True)
def check_email_timeout(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W002 (``check --deploy``): an unresponsive mail server cannot block a web worker indefinitely."""
    if _smtp_timeout() is not None:
        return []
    text = "SMTP connections have no timeout, so an unresponsive mail server blocks a web worker indefinitely."
    hint = 'Set EMAIL_TIMEOUT, or "timeout" in the OPTIONS of the default mailer, for example to 10 seconds.'
    return [Warning(text, hint=hint, id="credit_pathways.W002")]


@register(Tags.compatibility)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Run the checks that apply to every environment."""
    return [
        *check_record_source(),
        *check_delivery(),
        *check_celery(),
        *check_request_rate(),
        *check_link_scheme(),
        *check_public_record_url(),
        *check_from_address(),
        *check_learner_emails(),
        *check_messages_installed(),
        *check_time_zones(),
        *check_email_channel(),
    ]
