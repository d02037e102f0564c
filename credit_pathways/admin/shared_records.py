"""The shared program records."""

from contextlib import suppress
from uuid import UUID

from django.contrib import admin
from django.db.models import Q
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..links import public_record_url
from ..models import ProgramCertRecord
from .learner_rows import LearnerRowAdmin


@admin.register(ProgramCertRecord)
class ProgramCertRecordAdmin(LearnerRowAdmin):
    """Public links. Deleting one withdraws it."""

    list_display = ("id", "user", "program", "created")
    fields = ("user", "program", "public_record", "created")
    search_help_text = _("A learner's whole username or email address, or the uuid of a public link")

    def exactly(self, term: str) -> Q:
        """Find a learner's records, or the one of a link."""
        found = super().exactly(term)
        with suppress(ValueError):
            found |= Q(uuid=UUID(term))
        return found

    @admin.display(description=_("public record"))
    def public_record(self, record: ProgramCertRecord) -> SafeString:
        """Return the public link."""
        url = public_record_url(record.program.site, record)
        return format_html('<a href="{}">{}</a>', url, url)
