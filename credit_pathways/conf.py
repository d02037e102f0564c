"""The app's settings, each read when it is used and never at import; the defaults are the design's."""

from typing import Any

from django.conf import settings

#: The values that ``CREDIT_PATHWAYS_DELIVERY`` may have.
DELIVERIES = ("inline", "celery")


def _get(name: str, default: Any = None) -> Any:
    return getattr(settings, f"CREDIT_PATHWAYS_{name}", default)


def record_source() -> str:
    """Dotted path of the host's ``RecordSource`` class."""
    return _get("RECORD_SOURCE", "credit_pathways.records.CatalogRecordSource")


def delivery() -> str:
    """How mail leaves: ``"inline"``, in the request, after commit; ``"celery"``, from a worker."""
    return _get("DELIVERY", "inline")


def celery_queue() -> str:
    """Name of the queue that Celery workers take credit requests from."""
    return _get("CELERY_QUEUE", "credit_pathways")


def celery_attempts() -> int:
    """How often a worker tries to send one mail before the request is failed."""
    return _get("CELERY_ATTEMPTS", 10)


def celery_backoff() -> float:
    """Seconds between the first attempt and the second, at most; each later pause is twice as long (ADR 0012)."""
    return _get("CELERY_BACKOFF", 60)


def celery_time_limit() -> int:
    """Seconds that one attempt may take."""
    return _get("CELERY_TIME_LIMIT", 120)


def request_rate() -> str | None:
    """How many requests and shares one user may make, as ``"15/minute"``; ``None``: unlimited."""
    return _get("REQUEST_RATE", "15/minute")


def platform_name() -> str:
    """Name of the platform as people see it; empty if not set."""
    return _get("PLATFORM_NAME", "")


def from_address() -> str:
    """From address of the mails; empty if not set."""
    return _get("FROM_ADDRESS", "")


def email_language() -> str:
    """Language code of the mails: the institution's language, never the learner's."""
    return _get("EMAIL_LANGUAGE") or settings.LANGUAGE_CODE


def has_transactional_channel() -> bool:
    """Whether edx-ace is told of a channel for mails that somebody waits for, apart from its default one."""
    return bool(getattr(settings, "ACE_CHANNEL_TRANSACTIONAL_EMAIL", None))


def link_scheme() -> str:
    """Scheme of the links in mails: ``"https"`` or ``"http"``."""
    return _get("LINK_SCHEME", "https")


def public_record_url() -> str | None:
    """Address with ``{uuid}`` of another front end that shows public records, if there is one."""
    return _get("PUBLIC_RECORD_URL")


def oauth_client() -> dict[str, str | None]:
    """Open edX's own settings of the LMS's OAuth provider and of this service's client, by name."""
    names = [f"BACKEND_SERVICE_EDX_OAUTH2_{name}" for name in ("PROVIDER_URL", "KEY", "SECRET")]
    return {name: getattr(settings, name, None) for name in names}
