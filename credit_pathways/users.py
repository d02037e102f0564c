"""What the app reads of the host's user model, which may lack any field but its key and the username."""

from typing import Any, TypeAlias

from django.contrib.auth import get_user_model
from django.db.models import Model, QuerySet

from .sanitize import is_invisible

#: An instance of the host's ``AUTH_USER_MODEL``, a subclass of Django's ``AbstractBaseUser``.
Learner: TypeAlias = Any


def has_field(model: type[Model], name: str) -> bool:
    """Return whether ``model`` has a column of its own for this field."""
    return name in {field.name for field in model._meta.concrete_fields if not field.is_relation}


def active_users() -> QuerySet[Any]:
    """Return the active accounts: all of them if the host stores no ``is_active``."""
    users = get_user_model()._base_manager
    return users.filter(is_active=True) if has_field(users.model, "is_active") else users.all()


def has_permission(user: Learner, name: str) -> bool:
    """Return whether the user has one of the app's permissions: never, if the host's users have none."""
    return hasattr(user, "has_perm") and user.has_perm(f"credit_pathways.{name}")


def username(user: Learner) -> str:
    """Return the username, which some hosts store as a number or a UUID."""
    return str(user.get_username())


def email_address(user: Learner) -> str:
    """Return the learner's address, unchecked; empty if unknown."""
    address = getattr(user, user.get_email_field_name() or "", "")
    return address if isinstance(address, str) else ""


def full_name(user: Learner) -> str:
    """Return the learner's full name; empty if it is unknown or shows nothing."""
    name = str(getattr(user, "get_full_name", str)() or "")
    return "" if is_invisible(name) else name


def display_name(user: Learner) -> str:
    """
    Return the name by which an institution matches an email with a record: the full name or, without one, the username.

    Empty if the username is an email address, which no public page may show (ADR 0010).
    """
    name = username(user)
    return full_name(user) or ("" if "@" in name or is_invisible(name) else name)
