"""Checks of the services that deliver: Celery, the mail server, and the cache in which the flood guard counts."""

import math
import re
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning
from django.core.mail.backends.smtp import EmailBackend
from django.utils.module_loading import import_string

from .. import conf
from .settings import check_limits, setting_error

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


def check_celery() -> list[CheckMessage]:
    """E008, W003, W004: if Celery delivers, it is installed, and has a broker that does not redeliver too early."""
    if conf.delivery() != "celery":
        return []
    try:
        from celery import current_app
    except ImportError:
        hint = "Run pip install credit-pathways[celery]."
        return [setting_error(8, "DELIVERY", "is 'celery', but Celery is not installed", hint)]
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


def _smtp_timeout() -> Any:
    """Return the timeout of the default mailer (``MAILERS`` in Django 6.1, or ``EMAIL_TIMEOUT``); 0 if not SMTP."""
    mailers = getattr(settings, "MAILERS", None)
    if mailers is not None:
        mailer = _dict(_dict(mailers).get("default", {"BACKEND": "none"}))
        backend, timeout = mailer.get("BACKEND", SMTP_BACKEND), _dict(mailer.get("OPTIONS")).get("timeout")
    else:
        backend, timeout = settings.EMAIL_BACKEND, settings.EMAIL_TIMEOUT
    return timeout if _is_smtp(backend) else 0


def _is_smtp(path: Any) -> bool:
    try:
        backend = import_string(path)
    except (ImportError, AttributeError, TypeError):  # Django reports it when an email is sent
        return False
    return isinstance(backend, type) and issubclass(backend, EmailBackend)


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


def check_cache_timeout(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W005 (``check --deploy``): an unresponsive cache, in which the flood guard counts, cannot block a click."""
    if not (missing := _missing_cache_timeouts()):
        return []
    names = " and ".join(map(repr, missing))
    text = f"The default cache has no timeout ({names}), so an unresponsive cache blocks a web worker indefinitely."
    hint = f"Set {names} in the OPTIONS of the cache, for example to 1 second."
    return [Warning(text, hint=hint, id="credit_pathways.W005")]
