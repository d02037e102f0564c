"""Celery's settings for RabbitMQ's quorum queues, as in docs/how-to/scale.rst."""

QUORUM = {
    "CELERY_TASK_DEFAULT_QUEUE_TYPE": "quorum",
    "CELERY_TASK_DEFAULT_EXCHANGE_TYPE": "topic",
    "CELERY_TASK_CREATE_MISSING_QUEUE_TYPE": "quorum",
    "CELERY_TASK_CREATE_MISSING_QUEUE_EXCHANGE_TYPE": "topic",
}
