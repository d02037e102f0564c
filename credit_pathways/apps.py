"""The Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CreditPathwaysConfig(AppConfig):
    """App ``credit_pathways``: models, pages and endpoints of credit requests."""

    name = "credit_pathways"
    verbose_name = _("Credit pathways")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks. No signal receiver is connected here, nor anywhere else (ADR 0001)."""
        from . import checks  # noqa: F401  (registering is what the import is for)
