"""What the plug-in adds to the settings of Open edX Credentials; read while they are made, so it imports no models."""

from typing import Any

RECORD_SOURCE = "credit_pathways.contrib.credentials.records.CredentialsRecordSource"


def plugin_settings(settings: Any) -> None:
    """
    Add what Credentials lacks to ``settings``, a module or object, and leave what is there as it is.

    ``edx_django_utils.plugins`` calls this once for Credentials' base settings and again for those that extend them.
    """
    if not hasattr(settings, "CREDIT_PATHWAYS_RECORD_SOURCE"):
        settings.CREDIT_PATHWAYS_RECORD_SOURCE = RECORD_SOURCE
