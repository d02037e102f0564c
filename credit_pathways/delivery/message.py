"""The email that asks an institution for credit."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.sites.models import Site
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone, translation
from django.utils.encoding import punycode
from django.utils.translation import gettext
from edx_ace.channel import ChannelType
from edx_ace.errors import FatalChannelDeliveryError
from edx_ace.message import Message
from edx_ace.recipient import Recipient

from .. import conf
from ..links import host_name, public_record_csv_url, public_record_url
from ..models import UserCreditPathway
from ..records import ProgramRecord
from ..sanitize import one_line

#: The header with the request's token. Relays keep it, unlike Message-ID, which Amazon SES replaces.
TOKEN_HEADER = "X-Credit-Request"  # noqa: S105


def _signer() -> signing.Signer:
    """Only those who received the email, and so its headers, can know what it signs (ADR 0021)."""
    return signing.Signer(salt="credit_pathways.bounce")


def request_token(credit_request: UserCreditPathway) -> str:
    """Return the signed number of a request: a report that contains it is about the request's email."""
    return _signer().sign(str(credit_request.pk))


def request_id_of_token(token: str) -> int | None:
    """Return the number of the request that ``token`` was made for, or ``None`` if it is not one of ours."""
    try:
        return int(_signer().unsign(token.strip()))
    except (signing.BadSignature, ValueError):
        return None


class CreditRequestMessage(Message):
    """
    A message that edx-ace tries to send once (promise 4).

    If a channel asks for it, edx-ace sleeps and tries again until ``expiration_time``, which it reads once, just
    before the first attempt. A time only just in the future lets that attempt start, however long the preparation
    took, but leaves no time to sleep.
    """

    TIME_TO_START = timedelta(seconds=0.5)

    #: The error that edx-ace reported instead of raising it.
    error: BaseException | None = None

    #: Whether edx-ace reported that an email channel accepted the message.
    was_accepted = False

    @property
    def expiration_time(self) -> datetime:
        return timezone.now() + self.TIME_TO_START

    @expiration_time.setter
    def expiration_time(self, value: datetime | None) -> None:
        """Ignore the default that edx-ace's constructor assigns."""

    def __repr__(self) -> str:
        return f"<{self.log_id}>"  # without the context, the options and the recipient

    def report(self, key: str, value: Any) -> None:
        """Report to edx-ace's monitoring, keep errors, and stop a second attempt, which is reported when it starts."""
        if key.endswith("_error"):
            self.error = sys.exception()
            value = type(self.error).__name__  # its text may contain the learner's name or address
        if key == f"{ChannelType.EMAIL}_delivery_succeeded":
            self.was_accepted = True
        super().report(key, value)
        if key.endswith("_delivery_retried"):
            raise FatalChannelDeliveryError("a credit request's email is tried once")


def credit_request_message(credit_request: UserCreditPathway, record: ProgramRecord) -> CreditRequestMessage:
    """
    Return the edx-ace message of a credit request, in the institution's language.

    Raises:
        ValueError: the record is not shared.
    """
    language, pathway_name = conf.email_language(), header_text(credit_request.pathway.name)
    with translation.override(language):  # for links, if the host's URLs contain a language, and translated settings
        values = email_values(record)
        context = {
            **values,
            **_links(record),
            "pathway_name": pathway_name,
            "request_number": str(credit_request.pk),  # a number would be formatted: 1,234
        }
    return CreditRequestMessage(
        app_label="credit_pathways",
        name="creditrequest",
        recipient=Recipient(lms_user_id=None, email_address=credit_request.pathway.email),
        language=language,
        context=context,
        options={
            "from_address": record.site_configuration.from_address,
            "reply_to": [values["reply_to"]] if values["reply_to"] else [],
            "transactional": conf.has_transactional_channel(),
        },
        headers={
            "Message-ID": message_id("credit-request", credit_request, record.program.site),
            TOKEN_HEADER: request_token(credit_request),
        },
    )


def _links(record: ProgramRecord) -> dict[str, str]:
    site, shared_record = record.program.site, record.shared_record
    if shared_record is None:
        raise ValueError("only a shared record can be sent")
    return {"record_url": public_record_url(site, shared_record), "csv_url": public_record_csv_url(site, shared_record)}


def email_values(record: ProgramRecord) -> dict[str, Any]:
    """
    Return what the email says about a program record, for its templates and for the preview before sending.

    Each text is a single line. The HTML templates escape it. ``reply_to`` is empty if replies cannot reach the learner.
    """
    return {
        "learner_name": header_text(record.learner_name or gettext("name not given")),
        "program_title": header_text(record.program.title),
        "program_completed": record.progress.completed,
        "platform_name": header_text(record.platform_name),
        "reply_to": record.email if is_header_address(record.email) else "",
    }


def header_text(value: str) -> str:
    """Return ``value`` as one line that an email program does not decode to something else (RFC 2047, section 2)."""
    return one_line(value).replace("=?", "= ?")


def is_header_address(address: str) -> bool:
    """Return whether ``address`` is valid and safe in a header."""
    try:
        validate_email(address)
    except ValidationError:
        return False
    # A quoted local part may contain control characters, and Python's email library breaks lines at some of them.
    return one_line(address) == address


def message_id(name: str, credit_request: UserCreditPathway, site: Site) -> str:
    """Return the same Message-ID for every attempt, so that receivers can drop a duplicate (RFC 5322, 3.6.4)."""
    host = punycode(host_name(site.domain))
    created = credit_request.created.astimezone(UTC)  # databases may have a time zone of their own
    return f"<{name}.{credit_request.pk}.{created:%Y%m%d%H%M%S%f}@{host}>"
