"""The demo's own app."""

from django.apps import AppConfig
from django.conf import settings


class DemoConfig(AppConfig):
    """Users, grades, and the mails sent so far."""

    name = "demo"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the demo's Celery app the current one, where there is a worker to hand requests to."""
        if settings.CREDIT_PATHWAYS_DELIVERY == "celery":
            from .celery import app

            app.set_default()
