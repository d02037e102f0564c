"""Tests with real Celery workers and web servers, on Redis and RabbitMQ, PostgreSQL and MariaDB."""
