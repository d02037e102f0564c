"""The demo's mail server. It keeps each email, but rejects one domain and is slow with another, to show both."""

import time
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedEmail
from smtplib import SMTPRecipientsRefused

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from .models import Mail

REJECTED_DOMAIN = "@refused.example"
SLOW_DOMAIN = "@slow.example"
SLOW_DOMAIN_SECONDS = 3


class MailboxBackend(BaseEmailBackend):
    """Save each email to the database. ``/mails/`` shows them."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Save the emails, or raise the same exception as Django's SMTP backend if a recipient is rejected."""
        for email in email_messages:
            if any(address.endswith(REJECTED_DOMAIN) for address in email.recipients()):
                raise SMTPRecipientsRefused(dict.fromkeys(email.recipients(), (550, b"No such user here")))
            if any(address.endswith(SLOW_DOMAIN) for address in email.recipients()):
                time.sleep(SLOW_DOMAIN_SECONDS)
            Mail.objects.create(source=email.message().as_bytes())
        return len(email_messages)


def parse(mail: Mail) -> ParsedEmail:
    """Return the email as its recipient's email client parses it."""
    return message_from_bytes(bytes(mail.source), policy=policy.default)
