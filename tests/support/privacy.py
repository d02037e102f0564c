"""
Finds personal data of the tests' learners in what operators and the broker see (promise 9).

That is: log lines, the emails about errors that Django sends to ADMINS, what edx-ace reports to monitoring services,
and the messages that are published.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from celery.signals import before_task_publish
from django.utils.log import AdminEmailHandler

#: The loggers of the app and of what it calls.
LOGGERS = ("credit_pathways", "edx_ace", "celery", "django.request")

#: Django emails errors of its own loggers to ADMINS. Hosts can add the others.
EMAILED_LOGGERS = ("credit_pathways", "edx_ace", "celery", "django")

#: Names, usernames and addresses of the fixtures and factories, and the record source's grade.
PERSONAL = re.compile(
    r"halima|khan|okafor|\blearner\d+|(home|learners)\.example|\b0\.9140?\b|\b91(\.4)?\s?%|distinction", re.IGNORECASE
)


def leaks(texts: Iterable[str]) -> list[str]:
    """Return the beginning of each text that contains personal data, and where it does."""
    found = ((text, PERSONAL.search(text)) for text in texts)
    return [f"{text[:100]!r} … {text[: match.end()][-200:]!r}" for text, match in found if match]


@contextmanager
def watched() -> Iterator[list[str]]:
    """Yield a list, to which everything is added that operators and the broker see during the block."""
    texts: list[str] = []

    def publish(sender: str, headers: Any, body: Any, properties: Any, **kwargs: Any) -> None:
        texts.append(f"published: {sender} {headers} {body} {properties}")

    def report(key: str, value: Any) -> None:
        texts.append(f"reported: {key}={value}")

    before_task_publish.connect(publish)
    with (
        mock.patch("edx_ace.message.monitoring_report", report),
        _added(_Lines(texts), LOGGERS, logging.DEBUG),
        _added(_AdminEmails(texts), EMAILED_LOGGERS),
    ):
        yield texts
    before_task_publish.disconnect(publish)


class _Lines(logging.Handler):
    """Log records as they are printed, with tracebacks."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__()
        self.texts = texts

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{record.name}: {self.format(record)}")


class _AdminEmails(AdminEmailHandler):
    """Emails to ADMINS, with the variables of every frame. They are not sent."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__(include_html=True)
        self.texts = texts
        self.setLevel(logging.ERROR)  # Django's default

    def send_mail(self, subject: str, message: str, *args: Any, html_message: str = "", **kwargs: Any) -> None:
        self.texts.append(f"email to ADMINS: {subject}\n{message}\n{html_message}")


@contextmanager
def _added(handler: logging.Handler, names: Iterable[str], level: int | None = None) -> Iterator[None]:
    """Add the handler to the loggers, and set their level, if there is one."""
    levels = {logger: logger.level for logger in map(logging.getLogger, names)}
    for logger, usual_level in levels.items():
        logger.addHandler(handler)
        logger.setLevel(usual_level if level is None else level)
    yield
    for logger, usual_level in levels.items():
        logger.removeHandler(handler)
        logger.setLevel(usual_level)
