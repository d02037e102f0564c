"""The WSGI application of the web servers that the tests start."""

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from tests.support import kills  # noqa: E402
from tests.support.celery_app import app  # noqa: E402

app.set_default()
kills.install()
