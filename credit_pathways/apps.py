"""The app's configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CreditPathwaysConfig(AppConfig):
    """The ``credit_pathways`` app."""

    name = "credit_pathways"
    verbose_name = _("Credit pathways")
    default_auto_field = "django.db.models.BigAutoField"

    #: Read by ``edx_django_utils.plugins`` in Open edX Credentials (ADR 0016).
    plugin_app = {
        "url_config": {
            "credentials.djangoapp": {"namespace": "credit_pathways", "regex": r"^records/", "relative_path": "urls"}
        }
    }

    def ready(self) -> None:
        """Register the system checks. The app connects no signal receivers (ADR 0001)."""
        from . import checks  # noqa: F401
