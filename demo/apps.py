"""The demo's own app."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """Users, grades, and the mails sent so far."""

    name = "demo"
    default_auto_field = "django.db.models.BigAutoField"
