"""The Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CreditPathwaysConfig(AppConfig):
    """App ``credit_pathways``: models, pages and endpoints of credit requests."""

    name = "credit_pathways"
    verbose_name = _("Credit pathways")
    default_auto_field = "django.db.models.BigAutoField"

    #: Read by ``edx_django_utils.plugins`` where the host is Open edX Credentials (ADR 0016).
    plugin_app = {
        "url_config": {
            "credentials.djangoapp": {"namespace": "credit_pathways", "regex": r"^records/", "relative_path": "urls"}
        }
    }

    def ready(self) -> None:
        """Register the system checks. No signal receiver is connected here, nor anywhere else (ADR 0001)."""
        from . import checks  # noqa: F401  (registering is what the import is for)
