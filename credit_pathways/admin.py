"""Django admin: the catalog, the shared program records, and the credit requests to browse."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from .models import Pathway, Program, ProgramCertRecord, UserCreditPathway


@admin.register(Program)
class ProgramAdmin(admin.ModelAdmin):
    """The programs of the catalog."""

    list_display = ("title", "type", "school", "status", "site")
    list_filter = ("status", "site")
    search_fields = ("title", "school")
    ordering = ("title", "id")


@admin.register(Pathway)
class PathwayAdmin(admin.ModelAdmin):
    """The pathways of the catalog."""

    list_display = ("name", "org_name", "email", "pathway_type", "status", "site")
    list_filter = ("status", "pathway_type", "site")
    search_fields = ("name", "org_name", "email")
    autocomplete_fields = ("programs",)
    ordering = ("name", "id")


class LearnerRowAdmin(admin.ModelAdmin):
    """Rows that only a learner makes; staff read them, and delete them if they may (ADR 0005)."""

    search_help_text = _("A learner's whole username or email address")
    ordering = ("-id",)
    show_full_result_count = False

    def get_search_fields(self, request: HttpRequest) -> tuple[str, str]:
        """Search the fields that the host's user model has for names and addresses, whole and exact."""
        user = get_user_model()
        return (f"=user__{user.USERNAME_FIELD}", f"=user__{user.get_email_field_name()}")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody shares a record, or requests credit, on a learner's behalf."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows are read only."""
        return False


@admin.register(ProgramCertRecord)
class ProgramCertRecordAdmin(LearnerRowAdmin):
    """Public links. Deleting one withdraws it."""

    list_display = ("id", "user", "program", "created")
    list_select_related = ("user", "program")
    fields = ("user", "program", "uuid", "created")


@admin.register(UserCreditPathway)
class UserCreditPathwayAdmin(LearnerRowAdmin):
    """Credit requests."""

    list_display = ("id", "user", "pathway", "institution", "recorded_program", "status", "created")
    list_filter = ("status", "pathway", "program")
    list_select_related = ("user", "pathway", "program")
    fields = ("user", "pathway", "program", "status", "created", "modified")

    @admin.display(description=_("institution"), ordering="pathway__org_name")
    def institution(self, request: UserCreditPathway) -> str:
        """Return the name of the pathway's institution."""
        return request.pathway.org_name

    @admin.display(description=_("program"), ordering="program__title")
    def recorded_program(self, request: UserCreditPathway) -> str:
        """Return the program, or that rows from before migration 0002 have none."""
        return str(request.program or _("not recorded"))
