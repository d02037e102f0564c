"""Settings for the demo with a Celery worker. CELERY_BROKER_URL and DATABASE_URL come from the environment."""

import os

import dj_database_url

from .settings import *  # noqa: F403

if "DATABASE_URL" in os.environ:
    DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}

CREDIT_PATHWAYS_DELIVERY = "celery"
# Retry quickly, so that the attempts can be watched.
CREDIT_PATHWAYS_CELERY_ATTEMPTS = 4
CREDIT_PATHWAYS_CELERY_BACKOFF = 3
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
