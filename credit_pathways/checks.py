"""System checks for the settings. Their ids are stable and listed in ``docs/how-to/install.rst``."""

import math
import re
from collections.abc import Sequence
from email.utils import parseaddr
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import router
from django.utils.module_loading import import_string
from rest_framework.throttling import SimpleRateThrottle

from . import conf

SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"

#: Seconds. A click starts emails for 15 s, and web servers usually give up after 30.
MAX_SMTP_TIMEOUT = 15

#: The URLs of a broker that redelivers a message when its visibility timeout is over, and kombu's default, in seconds.
REDIS_URL = re.compile(r"\b(rediss?|redis\+socket|sentinel)://")
VISIBILITY_TIMEOUT = 3600

#: The options without which a cache may wait indefinitely. redis-py uses its only one for connecting too.
CACHE_TIMEOUTS = {
    "django.core.cache.backends.redis.RedisCache": ["socket_timeout"],
    "django_redis.cache.RedisCache": ["SOCKET_TIMEOUT"],
    "django.core.cache.backends.memcached.PyMemcacheCache": ["connect_timeout", "timeout"],
}


def _dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


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


def check_limits() -> list[CheckMessage]:
    """E009: the limits of attempts are valid. Those of the Celery task itself matter only if Celery delivers."""
    errors = [
        *_check_limit("ATTEMPTS", conf.celery_attempts(), 1),
        *_check_limit("TIME_LIMIT", conf.celery_time_limit(), 1),
    ]
    if conf.delivery() != "celery":
        return errors
    queue = conf.celery_queue()
    if not isinstance(queue, str) or not queue:
        errors.append(_error(9, "CELERY_QUEUE", f"cannot be {queue!r}", "Set it to the name of a queue."))
    return [*errors, *_check_limit("BACKOFF", conf.celery_backoff(), 0)]


def _check_limit(name: str, value: Any, minimum: int) -> list[CheckMessage]:
    if type(value) in {int, float} and minimum <= value < math.inf:
        return []
    return [_error(9, f"CELERY_{name}", f"cannot be {value!r}", f"Set it to a number not less than {minimum}.")]


def check_celery() -> list[CheckMessage]:
    """E008, W003, W004: if Celery delivers, it is installed, and has a broker that does not redeliver too early."""
    if conf.delivery() != "celery":
        return []
    try:
        from celery import current_app
    except ImportError:
        hint = "Run pip install credit-pathways[celery]."
        return [_error(8, "DELIVERY", "is 'celery', but Celery is not installed", hint)]
    if current_app.conf.broker_url or current_app.conf.broker_write_url:
        return [] if check_limits() else _check_visibility_timeout(current_app.conf)
    hint = "Set CELERY_BROKER_URL, and import your Celery app in the __init__.py of your project package."
    return [Warning("Celery has no broker.", hint=hint, id="credit_pathways.W003")]


def _check_visibility_timeout(celery: Any) -> list[CheckMessage]:
    timeout = _dict(celery.broker_transport_options).get("visibility_timeout", VISIBILITY_TIMEOUT)
    longest_pause = conf.celery_pause(conf.celery_attempts() - 1)
    needed = math.ceil(longest_pause + conf.celery_time_limit())
    is_long_enough = isinstance(timeout, int | float) and timeout >= needed
    if is_long_enough or not REDIS_URL.search(f"{celery.broker_read_url} {celery.broker_write_url}"):
        return []
    text = f"Redis redelivers messages that wait for their next attempt: its visibility timeout is {timeout!r} seconds."
    hint = f'Set "visibility_timeout" in CELERY_BROKER_TRANSPORT_OPTIONS to at least {needed}.'
    return [Warning(text, hint=hint, id="credit_pathways.W004")]


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
        mailer = _dict(_dict(mailers).get("default", {"BACKEND": "none"}))
        backend, timeout = mailer.get("BACKEND", SMTP_BACKEND), _dict(mailer.get("OPTIONS")).get("timeout")
    else:
        backend, timeout = settings.EMAIL_BACKEND, settings.EMAIL_TIMEOUT
    return timeout if backend == SMTP_BACKEND else 0


@register(Tags.compatibility, deploy=True)
def check_email_timeout(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W002 (``check --deploy``): an unresponsive mail server cannot block a click for too long."""
    timeout = _smtp_timeout()
    if timeout is None:
        text = "SMTP connections have no timeout, so an unresponsive mail server blocks a web worker indefinitely."
    elif conf.delivery() == "inline" and isinstance(timeout, int | float) and timeout > MAX_SMTP_TIMEOUT:
        text = f"The timeout of SMTP connections is {timeout} seconds, so a web server may give up on a click first."
    else:
        return []
    hint = 'Set EMAIL_TIMEOUT, or "timeout" in the OPTIONS of the default mailer, for example to 10 seconds.'
    return [Warning(text, hint=hint, id="credit_pathways.W002")]


def _redis_timeout() -> float | None:
    """Return the timeout that redis-py has by default: 5 seconds since version 8, none before."""
    try:
        from redis import Connection
    except ImportError:
        return None
    return Connection().socket_timeout  # type: ignore[no-untyped-call]


def _missing_cache_timeouts() -> list[str]:
    """Return the options that the default cache lacks."""
    cache = _dict(_dict(settings.CACHES).get("default"))
    backend, location, options = str(cache.get("BACKEND")), str(cache.get("LOCATION")), _dict(cache.get("OPTIONS"))
    options = {**options, **_dict(options.get("CONNECTION_POOL_KWARGS"))}  # of django-redis
    values = {str(name).lower(): value for name, value in options.items()}
    default = _redis_timeout() if "redis" in backend else None
    names = CACHE_TIMEOUTS.get(backend, [])
    return [n for n in names if values.get(n.lower(), default) is None and f"{n.lower()}=" not in location]


@register(Tags.compatibility, deploy=True)
def check_cache_timeout(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W005 (``check --deploy``): an unresponsive cache, in which the flood guard counts, cannot block a click."""
    if not (missing := _missing_cache_timeouts()):
        return []
    names = " and ".join(map(repr, missing))
    text = f"The default cache has no timeout ({names}), so an unresponsive cache blocks a web worker indefinitely."
    hint = f"Set {names} in the OPTIONS of the cache, for example to 1 second."
    return [Warning(text, hint=hint, id="credit_pathways.W005")]


@register(Tags.compatibility)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Run the checks that apply to every environment."""
    return [
        *check_record_source(),
        *check_delivery(),
        *check_limits(),
        *check_celery(),
        *check_request_rate(),
        *check_link_scheme(),
        *check_public_record_url(),
        *check_from_address(),
        *check_learner_emails(),
        *check_messages_installed(),
        *check_time_zones(),
        *check_databases(),
        *check_email_channel(),
    ]
