"""Reports are compared with the same counts made in Python."""

import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection, connections

from credit_pathways.models import UserCreditPathway
from credit_pathways.reports import GROUPINGS, count_bounces, count_requests
from tests import factories

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
RANGES = [{}, {"since": FEBRUARY}, {"until": MARCH}, {"since": FEBRUARY, "until": MARCH}]

KEYS = {
    "program": lambda row: row.program_id,
    "pathway": lambda row: row.pathway_id,
    "institution": lambda row: row.pathway.org_name,
    "status": lambda row: row.status,
    "month": lambda row: row.created.astimezone(UTC).date().replace(day=1),
}


@pytest.fixture
def rows(db):
    """300 requests in three months: many repeats, some made at the same time, some without a program, some bounced."""
    rng = random.Random(4)  # noqa: S311
    learners = factories.UserFactory.create_batch(6)
    programs = [*factories.ProgramFactory.create_batch(3), None]
    pathways = factories.PathwayFactory.create_batch(2) + factories.PathwayFactory.create_batch(2, org_name="Both")
    times = [START + timedelta(hours=rng.randrange(90 * 24)) for _ in range(60)] + [FEBRUARY, MARCH]
    UserCreditPathway.objects.bulk_create(
        UserCreditPathway(
            user=rng.choice(learners),
            pathway=rng.choice(pathways),
            program=rng.choice(programs),
            status=rng.choice(UserCreditPathway.Status.values),
            created=rng.choice(times),
            bounced_at=rng.choice([MARCH, None, None]),
        )
        for _ in range(300)
    )
    return list(UserCreditPathway.objects.select_related("pathway").order_by("created", "pk"))


def expected_counts(rows, by, since=START, until=START + timedelta(days=365)):
    """Return the numbers of requests, first requests and learners, by key."""
    groups, seen = defaultdict(list), set()
    for row in rows:
        same = (row.user_id, row.pathway_id, row.program_id)
        if since <= row.created < until:
            groups[KEYS[by](row)].append((row.user_id, same not in seen))
        seen.add(same)
    return {
        key: (len(group), sum(is_first for _user, is_first in group), len({user for user, _is_first in group}))
        for key, group in groups.items()
    }


@pytest.mark.parametrize("limits", RANGES, ids=lambda limits: "-".join(limits) or "all")
@pytest.mark.parametrize("by", GROUPINGS)
def test_counts(by, limits, rows, django_assert_num_queries):
    with django_assert_num_queries(1):
        lines = count_requests(by, **limits)
    expected = expected_counts(rows, by, **limits)
    assert {line.key: (line.requests, line.first, line.learners) for line in lines} == expected
    assert len(lines) == len(expected) > 0
    assert all(line.repeats == line.requests - line.first for line in lines)
    assert any(line.repeats for line in lines)


@pytest.mark.parametrize("limits", RANGES, ids=lambda limits: "-".join(limits) or "all")
def test_bounces(limits, rows, django_assert_num_queries):
    """The range is that of the requests, not of their bounces."""
    with django_assert_num_queries(1):
        counts = count_bounces(**limits)
    since, until = limits.get("since", START), limits.get("until", START + timedelta(days=365))
    bounced = [row for row in rows if row.bounced_at and since <= row.created < until]
    assert 10 < len(bounced) < len(rows) / 2
    assert counts == {by: Counter(KEYS[by](row) for row in bounced) for by in GROUPINGS}


@pytest.mark.parametrize("by", GROUPINGS)
def test_bounces_have_the_keys_of_the_lines(by, rows):
    """Also where the database ignores the case of institutions."""
    names = ["Northfield University", "NORTHFIELD University", "northfield university"]
    for name in [*names, *reversed(names)]:
        pathway = factories.PathwayFactory(org_name=name)
        factories.UserCreditPathwayFactory(pathway=pathway, created=FEBRUARY, bounced_at=MARCH)
    counts, lines = count_bounces()[by], count_requests(by)
    assert counts.keys() <= {line.key for line in lines}
    assert sum(counts[line.key] for line in lines) == len([row for row in rows if row.bounced_at]) + 6
    assert all(counts[line.key] <= line.requests for line in lines)


@pytest.mark.parametrize("by", GROUPINGS)
def test_every_request_is_counted(by, rows):
    assert sum(line.requests for line in count_requests(by)) == len(rows)


def test_order(rows):
    months = [line.key for line in count_requests("month")]
    assert months == [date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)]
    for by in ("program", "pathway", "institution", "status"):
        counts = [line.requests for line in count_requests(by)]
        assert counts == sorted(counts, reverse=True)


def test_names(program, pathway, learner):
    factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway)
    factories.UserCreditPathwayFactory(user=learner, program=None, pathway=pathway)
    assert {line.key: line.names for line in count_requests("program")} == {
        program.pk: ("Statistics", program.uuid),
        None: (None, None),
    }
    [line] = count_requests("pathway")
    assert line.names == ("Master of Science", "Northfield University", pathway.uuid)


def test_months_are_in_utc(settings, program, pathway):
    settings.TIME_ZONE = "Pacific/Auckland"
    row = factories.UserCreditPathwayFactory(program=program, pathway=pathway)
    UserCreditPathway.objects.filter(pk=row.pk).update(created=FEBRUARY - timedelta(seconds=1))
    assert [line.key for line in count_requests("month")] == [date(2026, 1, 1)]


def test_no_requests(db):
    assert [count_requests(by) for by in GROUPINGS] == [[]] * 5
    assert count_bounces() == {by: {} for by in GROUPINGS}


@pytest.fixture(params=["America/New_York", "Pacific/Kiritimati"])
def database_without_zones(request, monkeypatch):
    """
    A database whose times are in another time zone, and which cannot convert them.

    So are MySQL and MariaDB, if their tables of time zones are empty.
    """
    if connection.vendor == "postgresql":
        pytest.skip("PostgreSQL can always convert times")
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "TIME_ZONE", request.param)
        patch.setattr(connection.features, "has_zoneinfo_database", False)
        _forget_zone()
        yield
    _forget_zone()


def _forget_zone():
    for name in ("timezone", "timezone_name"):
        vars(connections["default"]).pop(name, None)


@pytest.mark.parametrize("limits", RANGES, ids=str)
def test_months_in_a_database_without_time_zones(database_without_zones, rows, limits):
    lines = count_requests("month", **limits)
    counts = {line.key: (line.requests, line.first, line.learners) for line in lines if line.requests}
    assert counts == expected_counts(rows, "month", **limits)
    bounced = [row for row in rows if row.bounced_at and _is_in(row, **limits)]
    assert count_bounces(**limits)["month"] == Counter(KEYS["month"](row) for row in bounced)


def _is_in(row, since=START, until=START + timedelta(days=365)):
    return since <= row.created < until


def test_no_months_in_a_database_without_time_zones(database_without_zones):
    assert count_requests("month") == []
    assert count_bounces()["month"] == Counter()
