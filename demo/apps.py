"""The demo's app configuration."""

from django.apps import AppConfig
from django.conf import settings


class DemoConfig(AppConfig):
    """Users, grades and sent emails."""

    name = "demo"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the demo's Celery app the current one if Celery delivers."""
        if settings.CREDIT_PATHWAYS_DELIVERY == "celery":
            from .celery import app

            app.set_default()
