"""The Celery app of the worker process that the tests start."""

from celery.signals import worker_init

from tests.celery_app import app
from tests.services import kills

__all__ = ["app"]


@worker_init.connect
def _prepare(**kwargs):
    kills.install()
