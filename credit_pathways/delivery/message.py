"""The email that an institution gets for a credit request."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.sites.models import Site
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone, translation
from django.utils.encoding import punycode
from edx_ace.errors import FatalChannelDeliveryError
from edx_ace.message import Message
from edx_ace.recipient import Recipient

from .. import conf
from ..links import host_name, public_record_csv_url, public_record_url
from ..models import UserCreditPathway
from ..records import ProgramRecord
from ..sanitize import one_line


class CreditRequestMessage(Message):
    """
    A message that edx-ace tries once (promise 4).

    Where a channel asks for it, edx-ace sleeps and tries again until ``expiration_time``, which it reads once, just
    before the first attempt. Answering "a moment from now" lets that attempt start, however long the preparation
    took, and leaves no time for a sleep.
    """

    MOMENT = timedelta(seconds=0.5)

    @property
    def expiration_time(self) -> datetime:
        """A moment from now."""
        return timezone.now() + self.MOMENT

    @expiration_time.setter
    def expiration_time(self, value: datetime | None) -> None:
        """Ignore the value: edx-ace's constructor assigns its default."""

    def report(self, key: str, value: Any) -> None:
        """Tell edx-ace's monitoring; stop before a second attempt, which it reports as it begins."""
        super().report(key, value)
        if key.endswith("_delivery_retried"):
            raise FatalChannelDeliveryError("a credit request's email is tried once")


def _typed(value: str) -> str:
    """Return what somebody typed as one line that a mail program decodes to nothing else (RFC 2047, section 2)."""
    return one_line(value).replace("=?", "= ?")


def _reply_to(address: str) -> list[str]:
    """Return the learner's address as a list; empty if there is none that a mail header may carry."""
    try:
        validate_email(address)
    except ValidationError:
        return []
    # A quoted local part may hold control characters, and Python's mail library breaks lines at some of them.
    return [address] if one_line(address) == address else []


def _message_id(credit_request: UserCreditPathway, site: Site) -> str:
    """Return the Message-ID, the same at every attempt, so that a receiver can drop a duplicate (RFC 5322, 3.6.4)."""
    host = punycode(host_name(site.domain))
    return f"<credit-request.{credit_request.pk}.{credit_request.created:%Y%m%d%H%M%S%f}@{host}>"


def _context(credit_request: UserCreditPathway, record: ProgramRecord) -> dict[str, Any]:
    """Return what the templates show. The values are single lines; the HTML templates escape them."""
    site, shared_record = record.program.site, record.shared_record
    if shared_record is None:
        raise ValueError("only a shared record can be sent")
    return {
        "learner_name": _typed(record.full_name) or _typed(record.user.get_username()),
        "program_title": _typed(record.program.title),
        "pathway_name": _typed(credit_request.pathway.name),
        "program_completed": record.progress.completed,
        "record_url": public_record_url(site, shared_record),
        "csv_url": public_record_csv_url(site, shared_record),
        "platform_name": _typed(record.platform_name),
    }


def credit_request_message(credit_request: UserCreditPathway, record: ProgramRecord) -> Message:
    """
    Return the edx-ace message of one credit request, in the institution's language.

    Raises:
        ValueError: the record is not shared.
    """
    site, language = record.program.site, conf.email_language()
    reply_to = _reply_to(record.email)
    with translation.override(language):  # where a host's URLs have a language, the links have the institution's
        context = _context(credit_request, record)
    return CreditRequestMessage(
        app_label="credit_pathways",
        name="creditrequest",
        recipient=Recipient(lms_user_id=None, email_address=credit_request.pathway.email),
        language=language,
        context={**context, "learner_has_address": bool(reply_to)},
        options={
            "from_address": record.site_configuration.from_address,
            "reply_to": reply_to,
            "transactional": conf.has_transactional_channel(),
        },
        headers={"Message-ID": _message_id(credit_request, site)},
    )
