"""The Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

#: The group of entry points by which Open edX Credentials finds its plug-ins, and calls itself in their configuration.
CREDENTIALS = "credentials.djangoapp"


class CreditPathwaysConfig(AppConfig):
    """App ``credit_pathways``: models, pages and endpoints of credit requests."""

    name = "credit_pathways"
    verbose_name = _("Credit pathways")
    default_auto_field = "django.db.models.BigAutoField"

    #: What ``edx_django_utils.plugins`` reads: the URLs and settings of the plug-in for Credentials (ADR 0016).
    plugin_app = {
        "url_config": {CREDENTIALS: {"namespace": "credit_pathways", "regex": r"^records/", "relative_path": "urls"}},
        "settings_config": {
            CREDENTIALS: {
                kind: {"relative_path": "contrib.credentials.settings"}
                for kind in ("base", "production", "devstack", "test")
            }
        },
    }

    def ready(self) -> None:
        """Register the system checks. No signal receiver is connected here, nor anywhere else (ADR 0001)."""
        from . import checks  # noqa: F401  (registering is what the import is for)
