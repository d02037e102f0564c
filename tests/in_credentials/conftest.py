"""A learner of Credentials, and helpers."""

import io
from importlib.util import find_spec

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from credit_pathways import models


@pytest.fixture(autouse=True)
def _plugin(settings):
    """Add the plug-in's settings next to the stand-in. In the real Credentials, the plug-in has added them itself."""
    if find_spec("credentials.apps.records.rest_api") is None:
        settings.CREDIT_PATHWAYS_RECORD_SOURCE = "credit_pathways.contrib.credentials.records.CredentialsRecordSource"
    cache.clear()


@pytest.fixture
def learner(db):
    """A learner with a full name and an email address."""
    user = get_user_model()(username="halima", email="halima@home.example")
    # Credentials' user model has a full name instead of a first and a last name.
    name = {"full_name": "Halima Khan"} if hasattr(user, "full_name") else {"first_name": "Halima", "last_name": "Khan"}
    for field, value in name.items():
        setattr(user, field, value)
    user.save()
    return user


@pytest.fixture
def client(learner):
    """A client in which the learner is logged in."""
    client = Client()
    client.force_login(learner)
    return client


def sync():
    """Copy Credentials' catalog and return the command's output."""
    out = io.StringIO()
    call_command("sync_catalog", from_credentials=True, stdout=out)
    return out.getvalue()


def run_import(**options):
    """Run the import command and return its output."""
    out = io.StringIO()
    call_command("import_credentials_requests", stdout=out, stderr=out, **options)
    return out.getvalue()


def count_queries(call):
    with CaptureQueriesContext(connection) as captured:
        call()
    return len(captured)


def local_copy(row):
    """Return the app's copy of a program or pathway of Credentials."""
    return getattr(models, type(row).__name__).objects.select_related("site").get(site=row.site, uuid=row.uuid)
