"""The host's users."""

import uuid
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class UserManager(BaseUserManager["User"]):
    """Creates users."""

    def create_superuser(self, username: str, password: str, **fields: Any) -> "User":
        user = self.model(username=username, is_staff=True, is_superuser=True, **fields)
        user.set_password(password)
        user.save()
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A user with a UUID as primary key, one field for the name, no email address, and no way to be inactive."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    username = models.CharField(max_length=150, unique=True)
    full_name = models.CharField(max_length=300, blank=True)
    is_staff = models.BooleanField(default=False)

    objects = UserManager()

    USERNAME_FIELD = "username"

    def get_full_name(self) -> str:
        return self.full_name
