"""Settings that the plug-in adds to those of Open edX Credentials. Imported before models can be."""

from typing import Any

RECORD_SOURCE = "credit_pathways.contrib.credentials.records.CredentialsRecordSource"


def plugin_settings(settings: Any) -> None:
    """
    Set the record source in ``settings``, a module or object, unless the operator has.

    ``edx_django_utils.plugins`` calls this for Credentials' base settings, and again for each module that extends them.
    """
    if not hasattr(settings, "CREDIT_PATHWAYS_RECORD_SOURCE"):
        settings.CREDIT_PATHWAYS_RECORD_SOURCE = RECORD_SOURCE
