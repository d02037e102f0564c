"""
The floor of a worker: take a key from a list of Redis, lock its row, send a message that was made before, change it.

``python -m benchmarks.plain_worker LIST``, with the environment of the tests' services, until it is ended.
"""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.services.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from redis import Redis  # noqa: E402

from benchmarks.floors import deliver  # noqa: E402

NEEDED = (
    "SELECT w.email, u.username, p.title, s.domain, l.id FROM credit_pathways_usercreditpathway r"
    " JOIN credit_pathways_pathway w ON w.id = r.pathway_id JOIN auth_user u ON u.id = r.user_id"
    " JOIN credit_pathways_program p ON p.id = r.program_id JOIN django_site s ON s.id = p.site_id"
    " JOIN credit_pathways_programcertrecord l ON l.user_id = r.user_id AND l.program_id = r.program_id"
    " WHERE r.id = %s AND r.status = 'pending'"
)


def main(name: str) -> None:
    """Work on the list."""
    redis = Redis.from_url(settings.CELERY_BROKER_URL)
    while True:
        taken = redis.brpop([name])
        assert isinstance(taken, list | tuple)
        with connection.cursor() as cursor:
            cursor.execute(NEEDED, [int(taken[1])])
            deliver(cursor, cursor.fetchone()[-1], int(taken[1]))


if __name__ == "__main__":
    main(sys.argv[1])
