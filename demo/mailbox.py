"""The demo's mail server: keeps what it takes; refuses one host and is slow with one, so that both can be seen."""

import time
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMail
from smtplib import SMTPRecipientsRefused

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from .models import Mail

REFUSED_HOST = "@refused.example"
SLOW_HOST = "@slow.example"
SECONDS = 3


class MailboxBackend(BaseEmailBackend):
    """Keep every mail as a row, to be read at ``/mails/``."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Keep the mails, or raise what a real server's refusal raises."""
        for mail in email_messages:
            if any(address.endswith(REFUSED_HOST) for address in mail.recipients()):
                raise SMTPRecipientsRefused(dict.fromkeys(mail.recipients(), (550, b"No such user here")))
            if any(address.endswith(SLOW_HOST) for address in mail.recipients()):
                time.sleep(SECONDS)
            Mail.objects.create(source=mail.message().as_bytes())
        return len(email_messages)


def parsed(mail: Mail) -> ParsedMail:
    """Return the mail as its receiver's program would read it."""
    return message_from_bytes(bytes(mail.source), policy=policy.default)
