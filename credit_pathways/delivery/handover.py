"""Handing a message to edx-ace, and what may be told about it."""

import logging
from contextvars import ContextVar
from typing import Any

from edx_ace import ace
from edx_ace.channel import Channel, ChannelType
from edx_ace.signals import ACE_MESSAGE_SENT

from .message import CreditRequestMessage

log = logging.getLogger(__name__)

#: Whether an email is being handed to a channel.
_is_handing_over: ContextVar[bool] = ContextVar("is_handing_over", default=False)


def hand_over(message: CreditRequestMessage) -> bool:
    """
    Send ``message`` and return whether edx-ace reported that an email channel accepted this message (ADR 0002).

    ``ace.send()`` always returns ``None`` and swallows most errors.
    """
    reports: list[Channel] = []

    def listen(sender: Channel, message: dict[str, Any], **kwargs: Any) -> None:
        if message["uuid"] == uuid and sender.channel_type == ChannelType.EMAIL:
            reports.append(sender)

    uuid = str(message.uuid)
    ACE_MESSAGE_SENT.connect(listen, weak=False)
    token = _is_handing_over.set(True)
    try:
        ace.send(message)
    except Exception as error:
        if not reports:
            raise
        log.warning("message %s was sent before %s was raised", uuid, type(error).__name__)
    finally:
        _is_handing_over.reset(token)
        ACE_MESSAGE_SENT.disconnect(listen)
    return bool(reports)


def _may_be_logged(record: logging.LogRecord) -> bool:
    """Keep what mail servers and providers reply out of edx-ace's log, because it may name the learner."""
    return not _is_handing_over.get()


for _channel in ("braze", "django_email", "push_notification", "sailthru"):
    logging.getLogger(f"edx_ace.channel.{_channel}").addFilter(_may_be_logged)


def describe(error: BaseException) -> str:
    """
    Return the class of ``error``, and the code of an SMTP server's reply.

    The text of an error may contain the learner's name or address.
    """
    cause: Any = error.__cause__ or error  # edx-ace raises an error of its own from the mail server's
    try:
        [(code, _text)] = cause.recipients.values()  # of SMTPRecipientsRefused
    except (AttributeError, TypeError, ValueError):
        code = getattr(cause, "smtp_code", "")
    return f"{type(cause).__name__} {code if isinstance(code, int) else ''}".strip()[:100]
