"""Each query in docs/analytics.rst returns what Python computes from the same rows."""

import random
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection

from credit_pathways.models import ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support.analytics import ANSWERS, END, START, YEARS_START, Rows
from tests.support.printed_sql import VENDORS, execute, for_this_database, statements

PAGE = (Path(__file__).parents[1] / "docs/analytics.rst").read_text(encoding="utf-8")

MODELS = list(apps.get_app_config("credit_pathways").get_models(include_auto_created=True))

UNITS = ("days", "hours", "minutes", "seconds", "microseconds")
DAY, HOUR, MINUTE, SECOND, MICROSECOND = (timedelta(**{unit: 1}) for unit in UNITS)


def sections():
    """Return the text below each of the page's lowest-level headings."""
    found, heading = {}, None
    for line, following in pairwise([*PAGE.splitlines(), ""]):
        heading = line if re.fullmatch("=+", following) else heading
        found[heading] = found.get(heading, "") + line + "\n"
    return found


def slug(heading):
    return re.sub(r"\W+", "_", heading.lower()).strip("_")


def questions():
    """Return the queries that answer each question, by slug and caption."""
    queries = {slug(heading): statements(body) for heading, body in sections().items() if heading}
    return {question: by_caption for question, by_caption in queries.items() if by_caption}


class Requests:
    """Unsaved credit requests: random ones from a fixed seed, and hand-picked edge cases."""

    def __init__(self):
        self.rng = random.Random(2026)  # noqa: S311
        self.learners = factories.UserFactory.create_batch(47)
        self.rows = []
        self.create_catalog()

    def create_catalog(self):
        """Create requestable pathways, one of each kind that is not, and the programs requested through each."""
        elsewhere = factories.SiteFactory()
        self.programs = programs = [factories.ProgramFactory(title=f"Program {letter}") for letter in "ABCDEFGH"]
        programs.append(factories.ProgramFactory(title="Program A", uuid=programs[0].uuid, site=elsewhere))
        north, east, west = "Northfield University", "Eastlake College", "Westbridge Institute"
        self.requested = [
            (make_pathway("A", north, programs[:3]), programs[:3]),
            (make_pathway("B", north, programs[2:4]), programs[1:4]),
            (make_pathway("A", east, programs[:4]), programs[:4]),
            (make_pathway("C", east, programs[:2], status="retired"), programs[:2]),
            (make_pathway("D", west, programs[3:5], status="unpublished", pathway_type="industry"), programs[3:5]),
            (make_pathway("E", west, programs[:1], pathway_type="industry", email=""), programs[:1]),
            (make_pathway("F", west, [], email=""), programs[2:3]),
            (make_pathway("G", west, programs[:1], site=elsewhere), [*programs[:2], programs[8]]),
            (make_pathway("G", west, programs[8:], site=elsewhere), programs[8:]),
        ]
        self.unused = [make_pathway(letter, east, programs[:2]) for letter in "JI"]
        self.unused.append(make_pathway("M", east, programs))
        make_pathway("I", east, [])
        make_pathway("H", north, programs[:1])
        make_pathway("K", east, programs[:2], status="retired")
        make_pathway("L", east, programs[:2], pathway_type="industry")

    def add(self, user, pathway, program, created, status="sent", delay=2 * SECOND, **values):
        """Add a request. ``bounced_after`` is the time from sending until its email came back."""
        modified = created if status == "pending" else created + delay
        if (bounced_after := values.pop("bounced_after", None)) is not None:
            reason = f"5.1.{len(self.rows)} smtp; 550 User unknown"
            values |= {"bounced_at": modified + bounced_after, "bounce_reason": reason}
        values = {"sent_to": address(pathway, created) if status == "sent" else "", **values}
        values |= {"user": user, "pathway": pathway, "program": program, "status": status}
        self.rows.append(factories.UserCreditPathwayFactory.build(**values, created=created, modified=modified))

    def add_random(self):
        """Add a request at a random time within fifteen months, perhaps followed by repeats."""
        pathway, programs = self.rng.choice(self.requested)
        user, program = self.rng.choice(self.learners[:25]), self.rng.choice([*programs, *programs, None])
        created = START - 60 * DAY + self.rng.randrange(450 * 24 * 3600) * SECOND
        for _ in range(self.rng.choice([1, 1, 2, 4])):
            [status] = self.rng.choices(["sent", "failed", "pending"], [6, 3, 1])
            # In fifths of a second, so that no median is halfway between two rounded values.
            delay = self.rng.randrange(1, 500) * SECOND / 5
            completed = [True, False, None][len(self.rows) % 3] if program else None
            values = {"completed": completed}
            if status == "sent" and self.rng.random() < 0.3:
                # In fifths of a minute, for the same reason.
                values["bounced_after"] = self.rng.randrange(5 * 24 * 300) * MINUTE / 5
            self.add(user, pathway, program, created, status, delay, **values)
            created += self.rng.randrange(40) * HOUR

    def add_at_the_ends_of_periods(self):
        """Add first requests, repeats, and the only request of a pathway, just before and at each end."""
        ends = [end - before for end in (YEARS_START, START, END) for before in (MICROSECOND, timedelta())]
        for number, created in enumerate(ends):
            for pathway, programs in (self.requested[0], self.requested[3]):
                self.add(self.learners[25 + number], pathway, programs[0], created)
                self.add(self.learners[31], pathway, programs[1], created, "failed")
        for program, created in enumerate((START, START + DAY, END)):
            self.add(self.learners[32], self.requested[2][0], self.programs[program], created)
        for pathway, created in zip(self.unused * 2, (START - MICROSECOND, YEARS_START, START, END), strict=False):
            self.add(self.learners[0], pathway, None, created)

    def add_a_day_apart(self):
        """Add requests exactly a day apart, slightly more, and at the same time, where the id decides the order."""
        pathway, programs = self.requested[0]
        morning = START + 100 * DAY + 9 * HOUR
        for user, program, first in ((33, programs[0], morning), (34, None, morning + 123456 * MICROSECOND)):
            for later in (timedelta(), DAY, 2 * DAY + MICROSECOND):
                self.add(self.learners[user], pathway, program, first + later, "failed")
        for status in ("pending", "sent", "failed"):
            self.add(self.learners[35], pathway, programs[1], morning, status)

    def add_within_an_hour(self):
        morning = START + 200 * DAY + 9 * HOUR
        for later in (timedelta(), HOUR / 2, HOUR - MICROSECOND, HOUR):
            self.add(self.learners[36], self.requested[8][0], None, morning + later, "failed")

    def add_several_programs(self):
        """Add several programs through one pathway and through two of the same name, and programs with equal counts."""
        for program in (*self.programs[:3], None):
            self.add(self.learners[37], self.requested[0][0], program, START + 40 * DAY)
        for place, program in ((7, self.programs[0]), (8, self.programs[8])):
            self.add(self.learners[37], self.requested[place][0], program, START + 41 * DAY)
        for user, program in ((0, 5), (0, 5), (1, 6), (2, 6)):
            self.add(self.learners[user], self.requested[1][0], self.programs[program], START + 42 * DAY)

    def add_before_and_after_completing(self):
        """Add requests before and after completing a program: around each end of the year, in June, and at one time."""
        (first, [a, b, c]), (second, _programs) = self.requested[0], self.requested[2]
        learners = iter(self.learners[38:])
        for end in (START, END):
            for before in ([MICROSECOND, timedelta()], [timedelta()]):
                learner = next(learners)
                self.add(learner, first, a, end - DAY, completed=False)
                for distance in before:
                    self.add(learner, first, a, end - distance, completed=True)
        for wishes in (
            [(first, a, False), (first, a, False), (second, a, True), (first, a, None), (first, a, True)],
            [(first, a, True), (first, a, False)],
            [(first, a, False), (first, b, True)],
            [(first, a, None), (first, a, True)],
        ):
            learner = next(learners)
            for day, (pathway, program, completed) in enumerate(wishes, 150):
                self.add(learner, pathway, program, START + day * DAY, completed=completed)
        learner = next(learners)
        for program in (a, b, c):
            for completed in (False, True, True):
                self.add(learner, first, program, START + 160 * DAY, completed=completed)

    def add_to_other_addresses(self):
        learner, pathway, program = self.learners[0], self.requested[0][0], self.programs[0]
        for name in ("zoology", "botany"):
            self.add(learner, pathway, program, END - DAY, sent_to=f"{name}@northfield.example")

    def add_bounces(self):
        """Add bounces around the ends of the year, two of one address at the same time, and one before it was sent."""
        (pathway, [program, *_others]), bounce = self.requested[0], {"sent_to": "Music@northfield.example"}
        for created in (START - MICROSECOND, START, END - MICROSECOND, END):
            self.add(self.learners[0], pathway, program, created, bounced_after=DAY, sent_to=f"{created:%m}@x.example")
        for earlier in (2 * HOUR, HOUR, timedelta()):
            self.add(
                self.learners[0], pathway, program, END - DAY - earlier, bounced_after=3 * HOUR + earlier, **bounce
            )
        self.add(self.learners[0], pathway, program, END - DAY, sent_to="music@northfield.example")
        self.add(self.learners[0], self.requested[7][0], self.programs[0], END - DAY, bounced_after=-MINUTE)

    def save(self):
        """Save the requests, with ids in another order than their times, and share some of the records."""
        self.rng.shuffle(self.rows)
        UserCreditPathway.objects.bulk_create(self.rows)
        sent = {(row.user, row.program): row for row in self.rows if row.status == "sent" and row.program}
        shares = [row for row in sent.values() if self.rng.random() < 0.7]
        ProgramCertRecord.objects.bulk_create(
            factories.ProgramCertRecordFactory.build(
                user=row.user,
                program=row.program,
                created=row.modified + self.rng.choice([-9 * DAY, timedelta(), MICROSECOND, DAY]),
            )
            for row in shares
        )


def make_pathway(letter, org_name, programs, **kwargs):
    return factories.PathwayFactory(name=f"Pathway {letter}", org_name=org_name, programs=programs, **kwargs)


def address(pathway, created):
    """Return where a request went: not recorded in January, written with a capital until April, new since July."""
    name = ["", *["Credit"] * 3, *["credit"] * 3, *["registrar"] * 5][created.month - 1]
    return name and f"{name}@{pathway.org_name.split()[0].lower()}.example"


@pytest.fixture
def rows(db):
    """About 300 requests, and the table that analysts load from Discovery."""
    requests = Requests()
    for _ in range(110):
        requests.add_random()
    requests.add_at_the_ends_of_periods()
    requests.add_a_day_apart()
    requests.add_within_an_hour()
    requests.add_several_programs()
    requests.add_before_and_after_completing()
    requests.add_to_other_addresses()
    requests.add_bounces()
    requests.save()
    rows = Rows()
    rows.discovery = load_discovery(rows.programs.values())
    return rows


def load_discovery(programs):
    """Put all programs but one, and some that this service does not have, into a temporary table."""
    known = enumerate(list(programs)[1:])
    titles = {str(program.uuid): f"{number * 2 % 5} {program.title}" for number, program in known}
    titles |= {f"00000000-0000-4000-8000-{number:012}": title for number, title in enumerate(("Zoology", "Botany"))}
    titles |= {f"ffffffff-0000-4000-8000-{number:012}": "Astronomy" for number in range(2)}
    lines = [(uuid, title, "Science") for uuid, title in titles.items()]
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS discovery_program"
            " (uuid CHAR(36), title VARCHAR(255), subject VARCHAR(255))"
        )
        cursor.executemany("INSERT INTO discovery_program VALUES (%s, %s, %s)", lines)
    return lines


def normalize(value):
    """Convert what databases return, such as times as strings and integers as decimals, to one form."""
    if isinstance(value, str) and re.fullmatch(r"\d+-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", value):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return round(float(value), 3) if isinstance(value, (float, Decimal)) else value


def normalize_rows(lines):
    return [tuple(normalize(value) for value in line) for line in lines]


@pytest.mark.parametrize("question", sorted(questions()))
def test_query_returns_what_python_computes(question, rows):
    expected = normalize_rows(ANSWERS[question](rows))
    assert expected
    assert normalize_rows(execute(for_this_database(questions()[question]))) == expected


def test_questions_and_answers_match():
    assert sorted(questions()) == sorted(ANSWERS)
    assert len(ANSWERS) >= 15


def test_every_query_is_found():
    found = sum(len(by_caption) for by_caption in questions().values())
    assert found == PAGE.count("code-block") == PAGE.count(";\n")


@pytest.mark.parametrize("question", sorted(questions()))
def test_one_query_for_all_databases_or_one_for_each(question):
    assert list(questions()[question]) in ([""], list(VENDORS))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_column_is_described(model):
    terms = re.findall(r"^``.+ null\)$", sections()[model._meta.db_table], re.MULTILINE)
    described = [name for term in terms for name in re.findall(r"``(\w+)``", term)]
    assert sorted(described) == sorted(field.column for field in model._meta.concrete_fields)
