"""The Celery app of the tests' host, as Celery's documentation has it for Django."""

from celery import Celery

app = Celery("tests")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
