"""A host with Django's own user model, next to a stand-in for Credentials, whose models have the same names as ours."""

import os
import sys
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import dj_database_url

# Here and not in pytest's settings, because workers and web servers use these settings too.
sys.path.append(str(Path(__file__).parent / "stand_in"))

SECRET_KEY = "tests"
ROOT_URLCONF = "tests.urls"
SITE_ID = 1
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.sites",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "sortedm2m",
    "credentials.apps.core",
    "credentials.apps.catalog",
    "credentials.apps.credentials",
    "credentials.apps.records",
    "credit_pathways",
    "credit_pathways.contrib.credentials",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# A file, not memory, because other threads read what is committed through their own connections.
SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": ":memory:",
    "OPTIONS": {"init_command": "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY;"},
    "TEST": {"NAME": f"{gettempdir()}/credit_pathways_test_{os.getpid()}.sqlite3"},
}
URL = os.environ.get("TEST_DATABASE_URL")
DATABASE: dict[str, Any] = dj_database_url.parse(URL) if URL else SQLITE
LEVEL = os.environ.get("TEST_ISOLATION_LEVEL")
if LEVEL and DATABASE["ENGINE"].endswith("mysql"):
    DATABASE["OPTIONS"] = {"isolation_level": LEVEL}
elif LEVEL and DATABASE["ENGINE"].endswith("postgresql"):
    from psycopg import IsolationLevel

    DATABASE["OPTIONS"] = {"isolation_level": IsolationLevel[LEVEL.upper().replace(" ", "_")]}
if CHARSET := os.environ.get("TEST_CHARSET"):  # of MySQL and MariaDB
    DATABASE["TEST"] = {"CHARSET": CHARSET, "COLLATION": f"{CHARSET}_general_ci"}
# The second one only exists if there are tests that ask for it. Its tables are created at once, which takes no time.
SECOND = f"{DATABASE.get('TEST', {}).get('NAME') or 'test_' + DATABASE['NAME']}_second"
DATABASES = {
    "default": DATABASE,
    "second": {**DATABASE, "TEST": {**DATABASE.get("TEST", {}), "NAME": SECOND, "MIGRATE": False, "DEPENDENCIES": []}},
}

REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"]}

ACE_ENABLED_CHANNELS = ["django_email"]
ACE_CHANNEL_DEFAULT_EMAIL = "django_email"
ACE_CHANNEL_TRANSACTIONAL_EMAIL = "django_email"
EMAIL_TIMEOUT = 5

CELERY_BROKER_URL = "memory://"

CREDIT_PATHWAYS_RECORD_SOURCE = "tests.support.record_source.FixedRecordSource"
