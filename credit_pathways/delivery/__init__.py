"""
Sending the email of a credit request and recording truthfully whether it was sent.

``sending`` makes one attempt with ``message``. ``broker`` hands requests to Celery. ``later`` makes the attempts of
workers and of operators.
"""
