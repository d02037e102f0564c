"""``manage.py load_demo``: load the demo's site, catalog, learners, grades and past credit requests."""

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

#: By username: the full name, and the fraction of courses earned in each program.
LEARNERS: dict[str, tuple[str, dict[str, float]]] = {
    "halima": ("Halima Ó Briain", {"Statistics and Data Science": 0.5, "Supply Chain Management": 0.5}),
    "dario": ("Dario Fiore", {"Statistics and Data Science": 1, "Python for Everyone": 1, "First Aid": 1}),
    "amina": ("Amina Yusuf", {"Statistics and Data Science": 0.5}),
    "nobu": ("Nobu Tanaka", {}),
}


class Command(BaseCommand):
    """Load the demo's data. Running the command again changes nothing."""

    help = "Load the demo's data and print how to log in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--domain", default="localhost:8000", help="Domain of the demo (default: %(default)s).")

    @transaction.atomic
    def handle(self, *args: Any, domain: str, **options: Any) -> None:
        Site.objects.update_or_create(pk=1, defaults={"domain": domain, "name": "Example Online"})
        Site.objects.clear_cache()
        call_command("sync_catalog", file=CATALOG)
        _load_courses()
        for username, (name, fractions) in LEARNERS.items():
            _load_grades(_user(username, full_name=name), fractions)
        _user("admin", full_name="Ada Admin", is_staff=True, is_superuser=True)
        load_history()
        self.stdout.write(self.style.SUCCESS(_instructions(domain)))


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


def _load_grades(user: User, fractions: dict[str, float]) -> None:
    for title, fraction in fractions.items():
        courses = list(Course.objects.filter(program__title=title).order_by("pk"))
        for number, course in enumerate(courses[: round(len(courses) * fraction)]):
            values = {"percent": Decimal("0.91") - number * Decimal("0.06"), "letter": "AB"[number % 2]}
            Grade.objects.get_or_create(user=user, course=course, defaults={**values, "issued": ISSUED})


def _instructions(domain: str) -> str:
    return f"""
The demo is at http://{domain}/
  1. Log in as halima, halfway through two programs (password: {PASSWORD}).
     Or as dario, who completed three; amina, who requested credit; nobu, who has no record; or admin, who is staff.
  2. Choose My programs, a program, Request credit, one or more pathways, and Send.
  3. Read the sent emails: http://{domain}/mails/
  4. As admin, see the credit requests: http://{domain}/admin/credit_pathways/usercreditpathway/
     and the report: http://{domain}/admin/credit_pathways/usercreditpathway/report/
  5. Bounce an email, then look at Your credit requests as amina, and at the list as admin:
     .venv/bin/python manage.py record_bounces < demo/bounce.eml
  6. Try a stuck request one last time. It fails (the command reports an error), and amina gets an email:
     .venv/bin/python manage.py deliver_pending --older-than 120
  7. API schema: http://{domain}/api/schema/
"""
