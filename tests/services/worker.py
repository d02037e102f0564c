"""The Celery app of the workers that the tests start."""

from celery.signals import worker_init

from tests.support import kills
from tests.support.celery_app import app

__all__ = ["app"]


@worker_init.connect
def _prepare(**kwargs):
    kills.install()
