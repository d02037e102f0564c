"""The demo's Celery app, for ``make demo-celery``."""

from celery import Celery

app = Celery("demo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
