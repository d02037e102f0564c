"""Handing a message to edx-ace, and what may be told about it."""

import logging
from typing import Any

from edx_ace import ace
from edx_ace.channel import Channel, ChannelType
from edx_ace.signals import ACE_MESSAGE_SENT

from ..sanitize import muted
from .message import CreditRequestMessage

log = logging.getLogger(__name__)

#: The channels log what mail servers and providers reply, which may name the learner.
_channels_muted = muted(
    *(f"edx_ace.channel.{name}" for name in ("braze", "django_email", "push_notification", "sailthru"))
)


def hand_over(message: CreditRequestMessage) -> bool:
    """
    Send ``message`` and return whether edx-ace reported that an email channel accepted this message (ADR 0002).

    ``ace.send()`` always returns ``None`` and swallows most errors. A receiver of the host that raises one can keep the
    signal from this one, but not edx-ace's report to monitoring, which comes first.
    """
    reports: list[Channel] = []

    def listen(sender: Channel, message: dict[str, Any], **kwargs: Any) -> None:
        if message["uuid"] == uuid and sender.channel_type == ChannelType.EMAIL:
            reports.append(sender)

    uuid = str(message.uuid)
    ACE_MESSAGE_SENT.connect(listen, weak=False)
    try:
        with _channels_muted():
            ace.send(message)
    except Exception as error:
        if not (reports or message.was_accepted):
            raise
        log.warning("message %s was sent before %s was raised", uuid, type(error).__name__)
    finally:
        ACE_MESSAGE_SENT.disconnect(listen)
    return bool(reports) or message.was_accepted


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
