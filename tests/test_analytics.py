"""Each SQL text of docs/analytics.rst gives what Python finds in the same rows."""

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

PAGE = (Path(__file__).parents[1] / "docs/analytics.rst").read_text(encoding="utf-8")
SQL = re.compile(r"^\.\. code-block:: sql\n(?: +:caption: (.+)\n)?\n((?:(?: {3}.+)?\n)+)", re.MULTILINE)

#: Django's name of the databases that a caption names; a text without caption is for all.
VENDORS = {"PostgreSQL": "postgresql", "MySQL and MariaDB": "mysql", "SQLite": "sqlite"}

MODELS = list(apps.get_app_config("credit_pathways").get_models(include_auto_created=True))

DAY, HOUR, SECOND, MICROSECOND = (timedelta(**{f"{unit}s": 1}) for unit in ("day", "hour", "second", "microsecond"))


def sections():
    """Return the text below each of the page's lowest headings."""
    found, heading = {}, None
    for line, following in pairwise([*PAGE.splitlines(), ""]):
        heading = line if re.fullmatch("=+", following) else heading
        found[heading] = found.get(heading, "") + line + "\n"
    return found


def slug(heading):
    return re.sub(r"\W+", "_", heading.lower()).strip("_")


def questions():
    """Return the SQL of each question, by slug and caption."""
    texts = {slug(heading): dict(SQL.findall(body)) for heading, body in sections().items() if heading}
    return {question: by_caption for question, by_caption in texts.items() if by_caption}


def for_this_database(by_caption):
    [text] = [
        text for caption, text in by_caption.items() if VENDORS.get(caption, connection.vendor) == connection.vendor
    ]
    return text


class Requests:
    """Credit requests that are not saved yet: by chance, the same each time, and hand-placed ones at the edges."""

    def __init__(self):
        self.chance = random.Random(2026)  # noqa: S311
        self.learners = factories.UserFactory.create_batch(38)
        self.rows = []
        self.catalog()

    def catalog(self):
        """Make pathways that are requestable, and one of each kind that is not; and what is asked along them."""
        elsewhere = factories.SiteFactory()
        self.programs = programs = [factories.ProgramFactory(title=f"Program {letter}") for letter in "ABCDEFGH"]
        programs.append(factories.ProgramFactory(title="Program A", uuid=programs[0].uuid, site=elsewhere))
        north, east, west = "Northfield University", "Eastlake College", "Westbridge Institute"
        self.asked = [
            (along("A", north, programs[:3]), programs[:3]),
            (along("B", north, programs[2:4]), programs[1:4]),
            (along("A", east, programs[:4]), programs[:4]),
            (along("C", east, programs[:2], status="retired"), programs[:2]),
            (along("D", west, programs[3:5], status="unpublished", pathway_type="industry"), programs[3:5]),
            (along("E", west, programs[:1], pathway_type="industry", email=""), programs[:1]),
            (along("F", west, [], email=""), programs[2:3]),
            (along("G", west, programs[:1], site=elsewhere), [*programs[:2], programs[8]]),
            (along("G", west, programs[8:], site=elsewhere), programs[8:]),
        ]
        self.unused = [along("J", east, programs[:2]), along("I", east, programs[:2]), along("M", east, programs)]
        along("I", east, [])
        along("H", north, programs[:1])
        along("K", east, programs[:2], status="retired")
        along("L", east, programs[:2], pathway_type="industry")

    def add(self, user, pathway, program, created, status="sent", delay=2 * SECOND):
        modified = created if status == "pending" else created + delay
        named = {"user": user, "pathway": pathway, "program": program, "status": status}
        self.rows.append(factories.UserCreditPathwayFactory.build(**named, created=created, modified=modified))

    def by_chance(self):
        """Let a learner ask some time in fifteen months, perhaps for the same again soon."""
        pathway, programs = self.chance.choice(self.asked)
        user, program = self.chance.choice(self.learners[:25]), self.chance.choice([*programs, *programs, None])
        created = START - 60 * DAY + self.chance.randrange(450 * 24 * 3600) * SECOND
        for _time in range(self.chance.choice([1, 1, 2, 4])):
            [status] = self.chance.choices(["sent", "failed", "pending"], [6, 3, 1])
            # In fifths of a second, so that no median has to be rounded at a tie.
            self.add(user, pathway, program, created, status, self.chance.randrange(1, 500) * SECOND / 5)
            created += self.chance.randrange(40) * HOUR

    def at_the_ends_of_periods(self):
        """Just before, and at them: first requests, repeats, one of several programs, the only one along a pathway."""
        ends = [moment - early for moment in (YEARS_START, START, END) for early in (MICROSECOND, timedelta())]
        for number, created in enumerate(ends):
            for pathway, programs in (self.asked[0], self.asked[3]):
                self.add(self.learners[25 + number], pathway, programs[0], created)
                self.add(self.learners[31], pathway, programs[1], created, "failed")
        for program, created in enumerate((START, START + DAY, END)):
            self.add(self.learners[32], self.asked[2][0], self.programs[program], created)
        for pathway, created in zip(self.unused * 2, (START - MICROSECOND, YEARS_START, START, END), strict=False):
            self.add(self.learners[0], pathway, None, created)

    def a_day_apart(self):
        """Just a day apart; a little more; at the same moment, when the id decides which was first."""
        pathway, programs = self.asked[0]
        morning = START + 100 * DAY + 9 * HOUR
        for user, program, first in ((33, programs[0], morning), (34, None, morning + 123456 * MICROSECOND)):
            for later in (timedelta(), DAY, 2 * DAY + MICROSECOND):
                self.add(self.learners[user], pathway, program, first + later, "failed")
        for status in ("pending", "sent", "failed"):
            self.add(self.learners[35], pathway, programs[1], morning, status)

    def within_an_hour(self):
        morning = START + 200 * DAY + 9 * HOUR
        for later in (timedelta(), HOUR / 2, HOUR - MICROSECOND, HOUR):
            self.add(self.learners[36], self.asked[8][0], None, morning + later, "failed")

    def several_programs(self):
        """Along one pathway three programs and none; along two of one name one each. As often as another program."""
        for program in (*self.programs[:3], None):
            self.add(self.learners[37], self.asked[0][0], program, START + 40 * DAY)
        for place, program in ((7, self.programs[0]), (8, self.programs[8])):
            self.add(self.learners[37], self.asked[place][0], program, START + 41 * DAY)
        for user, program in ((0, 5), (0, 5), (1, 6), (2, 6)):
            self.add(self.learners[user], self.asked[1][0], self.programs[program], START + 42 * DAY)

    def save(self):
        """Save them, the ids in another order than the times; withdraw some links, and share some records again."""
        self.chance.shuffle(self.rows)
        UserCreditPathway.objects.bulk_create(self.rows)
        mails = {(row.user, row.program): row for row in self.rows if row.status == "sent" and row.program}
        shares = [mail for mail in mails.values() if self.chance.random() < 0.7]
        ProgramCertRecord.objects.bulk_create(
            factories.ProgramCertRecordFactory.build(
                user=mail.user,
                program=mail.program,
                created=mail.modified + self.chance.choice([-9 * DAY, timedelta(), MICROSECOND, DAY]),
            )
            for mail in shares
        )


def along(letter, org_name, programs, **kwargs):
    return factories.PathwayFactory(name=f"Pathway {letter}", org_name=org_name, programs=programs, **kwargs)


@pytest.fixture
def rows(db):
    """Some 250 requests, and what analysts have loaded from Discovery."""
    requests = Requests()
    for _time in range(110):
        requests.by_chance()
    requests.at_the_ends_of_periods()
    requests.a_day_apart()
    requests.within_an_hour()
    requests.several_programs()
    requests.save()
    rows = Rows()
    rows.discovery = load_discovery(rows.programs.values())
    return rows


def load_discovery(programs):
    """Put all programs but one into a table that ends with the connection, and some that this service does not have."""
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


def plain(value):
    """Return ``value`` as Python would have it: databases give times as texts, and whole numbers as others."""
    if isinstance(value, str) and re.fullmatch(r"\d+-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", value):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return round(float(value), 3) if isinstance(value, (float, Decimal)) else value


def in_python(lines):
    return [tuple(plain(value) for value in line) for line in lines]


def in_sql(text):
    with connection.cursor() as cursor:
        cursor.execute(text)
        return in_python(cursor.fetchall())


@pytest.mark.parametrize("question", sorted(questions()))
def test_the_sql_finds_what_python_finds(question, rows):
    expected = in_python(ANSWERS[question](rows))
    assert expected
    assert in_sql(for_this_database(questions()[question])) == expected


def test_every_question_has_an_answer_in_python_and_every_answer_a_question():
    assert sorted(questions()) == sorted(ANSWERS)
    assert len(ANSWERS) >= 12


def test_no_sql_is_overlooked():
    found = sum(len(by_caption) for by_caption in questions().values())
    assert found == PAGE.count("code-block") == PAGE.count(";\n")


@pytest.mark.parametrize("question", sorted(questions()))
def test_there_is_one_text_for_all_databases_or_one_for_each(question):
    assert list(questions()[question]) in ([""], list(VENDORS))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_column_is_described(model):
    terms = re.findall(r"^``.+ null\)$", sections()[model._meta.db_table], re.MULTILINE)
    described = [name for term in terms for name in re.findall(r"``(\w+)``", term)]
    assert sorted(described) == sorted(field.column for field in model._meta.concrete_fields)
