"""The admin of shared program records."""

from contextlib import suppress
from uuid import UUID

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..models import ProgramCertRecord
from .learner_rows import LearnerRowAdmin
from .links import public_record_link


@admin.register(ProgramCertRecord)
class ProgramCertRecordAdmin(LearnerRowAdmin):
    """Shared program records. Deleting one withdraws its public link."""

    list_display = ("id", "user", "program", "created")
    fields = ("user", "program", "public_record", "created")
    search_help_text = _("A learner's whole username or email address, or the uuid of a public link")

    def exact_match(self, term: str) -> Q:
        """Also match the record with this uuid."""
        match = super().exact_match(term)
        with suppress(ValueError):
            match |= Q(uuid=UUID(term))
        return match

    @admin.display(description=_("public record"))
    def public_record(self, record: ProgramCertRecord) -> SafeString | str:
        return public_record_link(record)
