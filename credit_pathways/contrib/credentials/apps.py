"""The Django app that Open edX Credentials finds next to ``credit_pathways`` itself."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CredentialsConfig(AppConfig):
    """
    What only a Credentials service needs: its record source, its catalog, and the import command (ADR 0016).

    It has no models. Other hosts do not install it, so they do not see its command.
    """

    name = "credit_pathways.contrib.credentials"
    label = "credit_pathways_credentials"
    verbose_name = _("Credit pathways")

    #: Read by ``edx_django_utils.plugins``; the URLs are those of ``credit_pathways``, whose AppConfig declares them.
    plugin_app = {
        "settings_config": {
            "credentials.djangoapp": {
                kind: {"relative_path": "settings"} for kind in ("base", "production", "devstack", "test")
            }
        }
    }
