"""Checks of the values of the app's settings."""

import gettext
import inspect
import math
import re
from email import policy
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.module_loading import import_string
from django.utils.translation import to_locale
from django.utils.translation.trans_real import all_locale_paths
from rest_framework.throttling import SimpleRateThrottle

from .. import conf

#: In ``edx_ace/creditrequest/email/subject.txt``.
EMAIL_SUBJECT = "Credit request %(request_number)s from %(learner_name)s: %(program_title)s"


def setting_error(number: int, setting: str, problem: str, hint: str) -> Error:
    """Return the error E001 to E999 about one of the app's settings."""
    return Error(f"CREDIT_PATHWAYS_{setting} {problem}.", hint=hint, id=f"credit_pathways.E{number:03}")


def check_record_source() -> list[CheckMessage]:
    """E001: the record source can be imported and has the methods of ``RecordSource``."""
    path = conf.record_source()
    try:
        source = import_string(path)
    except (ImportError, AttributeError, TypeError) as error:
        return [
            setting_error(1, "RECORD_SOURCE", f"cannot be imported: {error}", "Set it to the dotted path of a class.")
        ]
    methods = ("progress", "programs", "site_configuration", "learner_language")
    is_complete = all(callable(getattr(source, name, None)) for name in methods) and not inspect.isabstract(source)
    if isinstance(source, type) and is_complete:
        return []
    hint = "Set it to a subclass of credit_pathways.records.RecordSource."
    return [setting_error(1, "RECORD_SOURCE", f"is {path!r}, which is not a record source", hint)]


def check_delivery() -> list[CheckMessage]:
    """E002: the delivery mode exists."""
    if conf.delivery() in conf.DELIVERY_MODES:
        return []
    hint = f"Set it to {' or '.join(map(repr, conf.DELIVERY_MODES))}."
    return [setting_error(2, "DELIVERY", f"cannot be {conf.delivery()!r}", hint)]


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
        errors.append(setting_error(9, "CELERY_QUEUE", f"cannot be {queue!r}", "Set it to the name of a queue."))
    return [*errors, *_check_limit("BACKOFF", conf.celery_backoff(), 0)]


def _check_limit(name: str, value: Any, minimum: int) -> list[CheckMessage]:
    if type(value) in {int, float} and minimum <= value < math.inf:
        return []
    return [setting_error(9, f"CELERY_{name}", f"cannot be {value!r}", f"Set it to a number not less than {minimum}.")]


def check_request_rate() -> list[CheckMessage]:
    """E003: the request rate is ``None`` or a rate as Django REST framework writes it."""
    rate = conf.request_rate()
    try:
        is_valid = rate is None or SimpleRateThrottle.parse_rate(None, rate)[0] > 0  # type: ignore[operator, arg-type]
    except (ValueError, LookupError, AttributeError, TypeError):
        is_valid = False
    if is_valid:
        return []
    return [setting_error(3, "REQUEST_RATE", f"cannot be {rate!r}", 'Set it to a rate such as "15/minute", or None.')]


def _is_web_address(value: Any) -> bool:
    """Return whether ``value`` is an HTTP address with a host."""
    try:
        parts = urlsplit(str(value))
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the port, too
        return False
    return is_valid and not re.search(r"\s", str(value))


def check_link_root() -> list[CheckMessage]:
    """E004: links in emails start with a web address."""
    root = conf.link_root()
    example = str(root).replace("{domain}", "example.com")
    if _is_web_address(example) and not set("{}?#") & set(example):
        return []
    hint = 'Set it to an address such as "https://{domain}" or "https://example.com/credentials".'
    return [setting_error(4, "LINK_ROOT", f"cannot be {root!r}", hint)]


def check_public_record_url() -> list[CheckMessage]:
    """E005: the URL of public records is absolute and contains ``{uuid}``."""
    url = conf.public_record_url()
    if not url or ("{uuid}" in str(url) and _is_web_address(str(url).replace("{uuid}", ""))):
        return []
    hint = 'Set it to a URL such as "https://record.example.com/shared/{uuid}".'
    return [setting_error(5, "PUBLIC_RECORD_URL", f"cannot be {url!r}", hint)]


def check_records_url() -> list[CheckMessage]:
    """E015: the URL of learners' records on another front end is a web address."""
    url = conf.records_url()
    if not url or _is_web_address(url):
        return []
    return [
        setting_error(15, "RECORDS_URL", f"cannot be {url!r}", 'Set it to a URL such as "https://record.example.com/".')
    ]


def check_from_address() -> list[CheckMessage]:
    """E006: the From address is one email address, with or without a display name."""
    address = conf.from_address()
    try:
        if address:
            validate_email(_only_address(str(address)))
    except (ValidationError, ValueError):
        hint = 'Set it to one address, such as "registry@example.com".'
        return [setting_error(6, "FROM_ADDRESS", f"cannot be {address!r}", hint)]
    return []


def _only_address(text: str) -> str:
    """Return the address in ``text``, with or without a display name; empty if there is not exactly one."""
    header: Any = policy.default.header_factory("From", text if text.isprintable() else "")
    is_one = len(header.addresses) == 1 and header.groups[0].display_name is None and not header.defects
    return header.addresses[0].addr_spec if is_one and not text.rstrip().endswith(",") else ""


def check_email_language() -> list[CheckMessage]:
    """W006: there is a catalog for the language of emails, the app's or the host's. The texts are in English."""
    language = conf.email_language()
    if language.split("-")[0] == "en" or (settings.USE_I18N and _has_catalog(language)):
        return []
    text = f"The language of emails is {language!r}, which has no catalog, so emails are not in that language."
    hint = "Set CREDIT_PATHWAYS_EMAIL_LANGUAGE, or add a catalog to LOCALE_PATHS that translates the app's messages."
    return [Warning(text, hint=hint, id="credit_pathways.W006")]


def _has_catalog(language: str) -> bool:
    """Return whether a catalog of the app or of the host translates the subject of the email."""
    languages = [to_locale(language)]
    catalogs = [gettext.translation("django", path, languages, fallback=True) for path in all_locale_paths()]
    return any(catalog.gettext(EMAIL_SUBJECT) != EMAIL_SUBJECT for catalog in catalogs)


def check_learner_emails() -> list[CheckMessage]:
    """E012: the choice of emails to learners exists."""
    if conf.learner_emails() in conf.LEARNER_EMAILS:
        return []
    hint = f"Set it to {', '.join(map(repr, conf.LEARNER_EMAILS))}."
    return [setting_error(12, "LEARNER_EMAILS", f"cannot be {conf.learner_emails()!r}", hint)]
