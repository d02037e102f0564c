"""``manage.py load_demo``: the demo's site, courses, learners, grades and past requests; say how to log in."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.contrib.sites.models import Site
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from credit_pathways.models import Program
from demo.history import load_history
from demo.models import Course, Grade, User

CATALOG = Path(__file__).parents[2] / "catalog.json"
PASSWORD = "demo"  # noqa: S105
ISSUED = datetime(2026, 6, 15, tzinfo=UTC)

#: Username, name, and the share of its courses that the learner earned, by program.
LEARNERS: dict[str, tuple[str, dict[str, float]]] = {
    "halima": ("Halima Ó Briain", {"Statistics and Data Science": 0.5, "Supply Chain Management": 0.5}),
    "dario": ("Dario Fiore", {"Statistics and Data Science": 1, "Python for Everyone": 1, "First Aid": 1}),
    "nobu": ("Nobu Tanaka", {}),
}


class Command(BaseCommand):
    """Load what the demo shows. Running it again changes nothing."""

    help = "Load the demo's catalog, learners and grades, and say how to log in."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the address that links have."""
        parser.add_argument("--domain", default="localhost:8000", help="Where the demo is (default: %(default)s).")

    @transaction.atomic
    def handle(self, *args: Any, domain: str, **options: Any) -> None:
        """Load in the order in which things need each other."""
        Site.objects.update_or_create(pk=1, defaults={"domain": domain, "name": "Example Online"})
        Site.objects.clear_cache()
        call_command("sync_catalog", file=CATALOG)
        _load_courses()
        for username, (name, shares) in LEARNERS.items():
            _load_grades(_user(username, full_name=name), shares)
        _user("admin", full_name="Ada Admin", is_staff=True, is_superuser=True)
        load_history()
        self.stdout.write(self.style.SUCCESS(_hint(domain)))


def _load_courses() -> None:
    for item in json.loads(CATALOG.read_text(encoding="utf-8"))["programs"]["results"]:
        program = Program.objects.get(uuid=item["uuid"])
        for course in item["courses"]:
            school = ", ".join(owner["name"] for owner in course["owners"])
            values = {"name": course["title"], "school": school}
            Course.objects.get_or_create(program=program, key=course["course_runs"][0]["key"], defaults=values)


def _user(username: str, **values: Any) -> User:
    user, created = User.objects.get_or_create(
        username=username, defaults={"email": f"{username}@learners.example", **values}
    )
    if created:
        user.set_password(PASSWORD)
        user.save()
    return user


def _load_grades(user: User, shares: dict[str, float]) -> None:
    for title, share in shares.items():
        courses = list(Course.objects.filter(program__title=title).order_by("pk"))
        for number, course in enumerate(courses[: round(len(courses) * share)]):
            values = {"percent": Decimal("0.91") - number * Decimal("0.06"), "letter": "AB"[number % 2]}
            Grade.objects.get_or_create(user=user, course=course, defaults={**values, "issued": ISSUED})


def _hint(domain: str) -> str:
    return f"""
The demo is at http://{domain}/
  1. Log in as halima, half way through two programs (password: {PASSWORD}).
     Also: dario, who is done; nobu, who has no record; admin, who is staff.
  2. My programs > a program > Request credit > tick some > Send.
  3. Mails sent: http://{domain}/mails/
  4. The requests, as admin: http://{domain}/admin/credit_pathways/usercreditpathway/
     How many there were: http://{domain}/admin/credit_pathways/usercreditpathway/report/
     The API's schema: http://{domain}/api/schema/
"""
