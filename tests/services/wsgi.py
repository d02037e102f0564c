"""The web process that the tests start."""

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from tests.celery_app import app  # noqa: E402
from tests.services import kills  # noqa: E402

app.set_default()
kills.install()
