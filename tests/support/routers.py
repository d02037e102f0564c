"""Database routers of hosts with two databases."""

from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.sites.models import Site
from django.db.models import Model

from credit_pathways.models import Pathway


class SecondDatabaseRouter:
    """Everything is in the second database."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return "second"

    db_for_write = db_for_read


class ReplicaRouter:
    """
    Replicated tables are read from the second database, as in Django's documentation, wherever a row came from.

    Sessions and permissions are not replicated, because learners would be logged out before they reach the app.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return "second" if model in replicated_models() else "default"

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return "default"

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return True


def replicated_models() -> list[Any]:
    """Return the models of the app and what they reference, each after those that it references."""
    app = apps.get_app_config("credit_pathways")
    return [Site, get_user_model(), *app.get_models(), Pathway.programs.through]


def replicate() -> None:
    """Copy new rows to the replica."""
    for model in replicated_models():
        model._base_manager.using("second").bulk_create(model._base_manager.using("default"), ignore_conflicts=True)
