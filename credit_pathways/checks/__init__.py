"""
System checks for the settings and for the host. Their ids are stable and listed in ``docs/how-to/install.rst``.

``settings``
    The values of the app's own settings.
``host``
    What the app needs from its host: Django's messages and time zones, one database, sites, an email channel.
``services``
    Celery, and services that may not respond: the mail server and the cache.
"""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, register

from . import host, services, settings


@register(Tags.compatibility)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Run the checks that apply to every environment."""
    return [
        *settings.check_record_source(),
        *settings.check_delivery(),
        *settings.check_limits(),
        *services.check_celery(),
        *settings.check_request_rate(),
        *settings.check_link_root(),
        *settings.check_public_record_url(),
        *settings.check_records_url(),
        *settings.check_from_address(),
        *settings.check_email_language(),
        *settings.check_learner_emails(),
        *host.check_messages_installed(),
        *host.check_message_middleware(),
        *host.check_time_zones(),
        *host.check_databases(),
        *host.check_email_channel(),
        *host.check_urls(),
    ]


register(host.check_site_domains, Tags.database)
register(host.check_example_domain, Tags.database, deploy=True)
register(services.check_email_timeout, Tags.compatibility, deploy=True)
register(services.check_cache_timeout, Tags.compatibility, deploy=True)
