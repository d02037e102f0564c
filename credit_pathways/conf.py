"""The app's settings. Each is read when it is used, never at import."""

from typing import Any

from django.conf import settings

#: The valid values of ``CREDIT_PATHWAYS_DELIVERY``.
DELIVERY_MODES = ("inline", "celery")

#: The valid values of ``CREDIT_PATHWAYS_LEARNER_EMAILS``.
LEARNER_EMAILS = ("failures", "all", "none")

#: Seconds between attempts. Brokers redeliver a message that waits longer: RabbitMQ after 30 minutes, Redis after 60.
MAX_PAUSE = 15 * 60


def _get(name: str, default: Any = None) -> Any:
    return getattr(settings, f"CREDIT_PATHWAYS_{name}", default)


def record_source() -> str:
    """Return the dotted path of the host's ``RecordSource`` class."""
    return _get("RECORD_SOURCE", "credit_pathways.records.CatalogRecordSource")


def delivery() -> str:
    """Return how emails are sent: ``"inline"``, in the web request after commit, or ``"celery"``, by a worker."""
    return _get("DELIVERY", "inline")


def celery_queue() -> str:
    """Return the name of the queue that workers consume credit requests from."""
    return _get("CELERY_QUEUE", "credit_pathways")


def celery_attempts() -> int:
    """Return how many deliveries are started before a request fails, with or without Celery."""
    return _get("CELERY_ATTEMPTS", 10)


def celery_backoff() -> float:
    """Return the longest delay before the second attempt, in seconds. It doubles with each attempt (ADR 0012)."""
    return _get("CELERY_BACKOFF", 60)


def celery_pause(attempts: int) -> float:
    """Return the longest pause after so many attempts, in seconds: exponential backoff."""
    return min(MAX_PAUSE, celery_backoff() * 2 ** min(max(attempts - 1, 0), 30))


def celery_time_limit() -> int:
    """Return how long one attempt may take, in seconds, with or without Celery."""
    return _get("CELERY_TIME_LIMIT", 120)


def request_rate() -> str | None:
    """Return how many times a user may request or share, such as ``"15/minute"``, or ``None`` for no limit."""
    return _get("REQUEST_RATE", "15/minute")


def platform_name() -> str:
    """Return the name of the platform as shown to people, or an empty string."""
    return _get("PLATFORM_NAME", "")


def from_address() -> str:
    """Return the From address of emails, or an empty string."""
    return _get("FROM_ADDRESS", "")


def email_language() -> str:
    """Return the language code of emails: the institution's language, never the learner's."""
    return language_code(_get("EMAIL_LANGUAGE"))


def language_code(code: str | None) -> str:
    """Return ``code``, which may also be a locale such as ``zh_CN``, as Django writes it, or else ``LANGUAGE_CODE``."""
    return str(code or settings.LANGUAGE_CODE).replace("_", "-").lower()


def has_transactional_channel() -> bool:
    """Return whether edx-ace has a channel for transactional email in addition to its default one."""
    return bool(getattr(settings, "ACE_CHANNEL_TRANSACTIONAL_EMAIL", None))


def link_root() -> str:
    """Return the start of links in emails; ``{domain}`` stands for the domain of the program's site."""
    script_name = (settings.FORCE_SCRIPT_NAME or "").strip("/")
    return _get("LINK_ROOT") or "/".join(filter(None, ["https://{domain}", script_name]))


def public_record_url() -> str | None:
    """Return the URL, with ``{uuid}``, of public records on another front end, or ``None``."""
    return _get("PUBLIC_RECORD_URL")


def records_url() -> str | None:
    """Return the URL at which another front end shows learners their records, or ``None``."""
    return _get("RECORDS_URL")


def learner_emails() -> str:
    """Return which emails learners get: ``"failures"``, ``"all"`` or ``"none"``."""
    return _get("LEARNER_EMAILS", "failures")


def oauth_client() -> dict[str, str | None]:
    """Return Open edX's settings for the LMS's OAuth provider and this service's client, by name."""
    names = [f"BACKEND_SERVICE_EDX_OAUTH2_{name}" for name in ("PROVIDER_URL", "KEY", "SECRET")]
    return {name: getattr(settings, name, None) for name in names}
