"""Tests with real worker and web processes, against Redis and RabbitMQ, PostgreSQL and MariaDB."""
