"""Settings of the workers and web servers that the tests start."""

import os

from tests.settings import *  # noqa: F403
from tests.support import privacy
from tests.support.quorum import QUORUM

ALLOWED_HOSTS = ["127.0.0.1"]
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST, EMAIL_PORT = "127.0.0.1", int(os.environ["TEST_RELAY_PORT"])
EMAIL_TIMEOUT = int(os.environ.get("TEST_EMAIL_TIMEOUT", "1"))

CREDIT_PATHWAYS_DELIVERY = os.environ["TEST_DELIVERY"]
CREDIT_PATHWAYS_LEARNER_EMAILS = os.environ.get("TEST_LEARNER_EMAILS", "none")
CREDIT_PATHWAYS_REQUEST_RATE = None
CREDIT_PATHWAYS_CELERY_QUEUE = os.environ["TEST_QUEUE"]
CREDIT_PATHWAYS_CELERY_ATTEMPTS = int(os.environ.get("TEST_ATTEMPTS", "4"))
CREDIT_PATHWAYS_CELERY_BACKOFF = float(os.environ.get("TEST_BACKOFF", "0.2"))
CREDIT_PATHWAYS_CELERY_TIME_LIMIT = int(os.environ.get("TEST_TIME_LIMIT", "5"))
CREDIT_PATHWAYS_RECORD_SOURCE = os.environ.get("TEST_RECORD_SOURCE", CREDIT_PATHWAYS_RECORD_SOURCE)  # noqa: F405

CELERY_BROKER_URL = os.environ["TEST_BROKER_URL"]
CELERY_WORKER_LOST_WAIT = 1
if "TEST_QUORUM" in os.environ:
    globals().update(QUORUM)
if CELERY_BROKER_URL.startswith("redis"):
    # In seconds. Another worker gets the messages of a killed one after the visibility timeout.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 2,
        "unacked_restore_interval": 0.5,
        "unacked_restore_throttle": 1,
        # A killed worker may hold this lock.
        "unacked_mutex_expire": 1,
    }

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(process)d %(name)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"]},
    "loggers": {name: {"level": "DEBUG"} for name in privacy.LOGGERS},
}
