"""Log learners in without a browser, and time their requests."""

import time
from collections.abc import Callable
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore


def session_of(user: Any) -> tuple[str, str | None]:
    """Log the user in, and return the username and the session key."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return user.username, session.session_key


def timed(function: Callable[..., Any], *args: Any) -> tuple[Any, float]:
    """Return the function's result, and the seconds it took."""
    began = time.monotonic()
    return function(*args), time.monotonic() - began
