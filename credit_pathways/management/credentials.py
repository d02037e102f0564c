"""Reaching ``contrib.credentials`` from commands, which every host has."""

from importlib import import_module
from types import ModuleType

from django.apps import apps
from django.core.management.base import CommandError


def from_credentials(name: str) -> ModuleType:
    """
    Return a module of ``contrib.credentials``.

    Raises:
        CommandError: the host is not Open edX Credentials.
    """
    if not apps.is_installed("credentials.apps.records"):
        raise CommandError("This service is not Open edX Credentials: it has no credentials.apps.records.")
    return import_module(f"credit_pathways.contrib.credentials.{name}")
