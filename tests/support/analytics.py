"""The answers to the questions in docs/analytics.rst, computed in Python instead of SQL."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import median
from typing import Any

from credit_pathways.models import Pathway, Program, ProgramCertRecord, UserCreditPathway

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
YEARS_START = datetime(2025, 1, 1, tzinfo=UTC)

MONTH, HOUR = "%Y-%m", "%Y-%m-%d %H"

#: The function that answers each question, by the slug of its heading.
ANSWERS: dict[str, Callable[["Rows"], Iterable[tuple[Any, ...]]]] = {}


@dataclass
class Rows:
    """All rows of the tables, including those that a test inserts into ``discovery_program``."""

    discovery: list[tuple[str, str, str]] = field(default_factory=list)
    requests: list[Any] = field(default_factory=lambda: list(UserCreditPathway.objects.order_by("pk")))
    programs: dict[int, Any] = field(default_factory=lambda: {row.pk: row for row in Program.objects.order_by("pk")})
    pathways: dict[int, Any] = field(default_factory=lambda: {row.pk: row for row in Pathway.objects.order_by("pk")})
    links: set[tuple[int, int]] = field(
        default_factory=lambda: set(Pathway.programs.through.objects.values_list("pathway_id", "program_id"))
    )
    shared: dict[tuple[int, int], Any] = field(
        default_factory=lambda: {(row.user_id, row.program_id): row for row in ProgramCertRecord.objects.all()}
    )

    def of_the_year(self):
        return [request for request in self.requests if START <= request.created < END]

    def with_program(self):
        return [request for request in self.of_the_year() if request.program_id]

    def institution(self, request):
        return self.pathways[request.pathway_id].org_name

    def names(self, pathway_id):
        return self.pathways[pathway_id].org_name, self.pathways[pathway_id].name

    def before(self, request):
        """Return the earlier requests for the same program and pathway by the same learner, oldest first."""
        same = (other for other in self.requests if identity(other) == identity(request))
        return sorted((other for other in same if sort_key(other) < sort_key(request)), key=sort_key)


def answer(function):
    ANSWERS[function.__name__] = function
    return function


def identity(request):
    return request.user_id, request.pathway_id, request.program_id


def sort_key(request):
    return request.created, request.pk


def grouped(requests, key) -> Iterator[tuple[Any, list[Any]]]:
    groups = defaultdict(list)
    for request in requests:
        groups[key(request)].append(request)
    yield from sorted(groups.items())


def count_learners(requests):
    return len({request.user_id for request in requests})


def count_statuses(requests, *statuses):
    return len([request for request in requests if request.status in statuses])


def count_bounced(requests):
    return len([request for request in requests if request.bounced_at])


def round_to_tenth(number):
    return Decimal(number).quantize(Decimal("0.1"), ROUND_HALF_UP)


@answer
def how_many_requests_are_there_each_month(rows):
    for month, found in grouped(rows.of_the_year(), lambda request: request.created.strftime(MONTH)):
        by_status = [count_statuses(found, status) for status in ("sent", "failed", "pending")]
        yield month, len(found), count_learners(found), *by_status, count_bounced(found)


@answer
def how_many_learners_asked_for_the_first_time_each_month(rows):
    first = [min(found, key=sort_key) for _user, found in grouped(rows.requests, lambda request: request.user_id)]
    months = Counter(request.created.strftime(MONTH) for request in first if START <= request.created < END)
    return sorted(months.items())


@answer
def which_were_the_busiest_hours(rows):
    hours = Counter(request.created.strftime(HOUR) for request in rows.of_the_year())
    return sorted(hours.items(), key=lambda line: (-line[1], line[0]))[:10]


@answer
def which_programs_is_credit_requested_for_most(rows):
    lines = [
        (-len(found), -count_learners(found), program_id)
        for program_id, found in grouped(rows.of_the_year(), lambda request: request.program_id or 0)
    ]
    for requests, learners, program_id in sorted(lines):
        yield rows.programs[program_id].title if program_id else "not recorded", -requests, -learners


@answer
def how_many_requests_are_there_for_each_program_that_discovery_knows(rows):
    lines = []
    for uuid, title, subject in sorted(rows.discovery):
        found = [request for request in rows.with_program() if str(rows.programs[request.program_id].uuid) == uuid]
        lines.append((title, subject, len(found), count_learners(found)))
    return sorted(lines, key=lambda line: (-line[2], line[0]))


@answer
def which_learners_asked_for_several_programs_along_one_pathway(rows):
    lines = []
    for (user, pathway), found in grouped(rows.with_program(), lambda request: (request.user_id, request.pathway_id)):
        programs = len({request.program_id for request in found})
        last = max(request.created for request in found)
        if programs > 1:
            lines.append((user, *rows.names(pathway), programs, len(found), last))
    return sorted(lines, key=lambda line: -line[3])


@answer
def how_many_requests_are_first_requests_and_repeats_by_pathway(rows):
    lines = []
    for pathway, found in grouped(rows.of_the_year(), lambda request: request.pathway_id):
        repeats = len([request for request in found if rows.before(request)])
        lines.append((*rows.names(pathway), len(found) - repeats, repeats))
    return sorted(lines, key=lambda line: (-line[3], -line[2]))


@answer
def how_often_is_a_request_repeated_within_a_day(rows):
    repeats, within_a_day = Counter(), Counter()
    for request in rows.of_the_year():
        for last in rows.before(request)[-1:]:
            repeats[last.status] += 1
            within_a_day[last.status] += request.created - last.created <= timedelta(hours=24)
    return [(status, repeats[status], within_a_day[status]) for status in sorted(repeats)]


@answer
def what_share_of_requests_was_made_before_completing_the_program(rows):
    lines = []
    for program, found in grouped(rows.with_program(), lambda request: request.program_id):
        counts = Counter(request.completed for request in found)
        before, after, unknown = counts[False], counts[True], counts[None]
        share = round_to_tenth(Decimal(100 * before) / (before + after)) if before or after else None
        lines.append((rows.programs[program].title, len(found), before, after, unknown, share))
    return sorted(lines, key=lambda line: -line[1])


@answer
def who_asked_again_after_completing(rows):
    with_program = [request for request in rows.requests if request.program_id and request.created < END]
    for (user, program), found in grouped(with_program, lambda request: (request.user_id, request.program_id)):
        in_order = sorted(found, key=sort_key)
        before = next((request for request in in_order if request.completed is False), None)
        if before:
            after = [request for request in in_order[in_order.index(before) :] if request.completed]
            if after and after[0].created >= START:
                yield user, rows.programs[program].title, before.created, after[0].created, len(after)


@answer
def how_long_did_it_take_until_the_mail_left(rows):
    sent = [request for request in rows.with_program() if request.status == "sent"]
    for institution, found in grouped(sent, rows.institution):
        milliseconds = [(request.modified - request.created) // timedelta(milliseconds=1) for request in found]
        middle, slowest = Decimal(median(milliseconds)), Decimal(max(milliseconds))
        yield institution, len(found), round_to_tenth(middle / 1000), round_to_tenth(slowest / 1000)


@answer
def which_share_of_the_mails_has_not_left_by_institution(rows):
    lines = []
    for institution, found in grouped(rows.with_program(), rows.institution):
        failed, pending = count_statuses(found, "failed"), count_statuses(found, "pending")
        share = round_to_tenth(Decimal(100 * (failed + pending)) / len(found))
        lines.append((institution, len(found), failed, pending, share))
    return sorted(lines, key=lambda line: (-line[4], line[0]))


@answer
def how_many_learners_did_each_institution_hear_of_by_year(rows):
    arrived = [request for request in rows.requests if request.status == "sent" and not request.bounced_at]
    of_both_years = [request for request in arrived if YEARS_START <= request.created < END]
    for key, found in grouped(of_both_years, lambda request: (rows.institution(request), str(request.created.year))):
        yield *key, count_learners(found), len(found)


@answer
def how_many_requests_went_to_each_address(rows):
    sent = [request for request in rows.of_the_year() if request.status == "sent"]
    lines = []
    for address, found in grouped(sent, lambda request: request.sent_to.lower()):
        pathways = len({request.pathway_id for request in found})
        last = max(request.created for request in found)
        lines.append((address or "not recorded", len(found), pathways, last))
    return sorted(lines, key=lambda line: (-line[1], line[0]))


@answer
def which_addresses_bounce(rows):
    sent = [request for request in rows.of_the_year() if request.status == "sent"]
    lines = []
    for address, found in grouped(sent, lambda request: request.sent_to.lower()):
        bounced = [request for request in found if request.bounced_at]
        if bounced:
            share = round_to_tenth(Decimal(100 * len(bounced)) / len(found))
            last = max(bounced, key=lambda request: (request.bounced_at, request.pk))
            numbers = len(found), len(bounced), share
            lines.append((address or "not recorded", *numbers, last.bounced_at, last.bounce_reason))
    return sorted(lines, key=lambda line: (-line[2], line[0]))


@answer
def how_long_does_it_take_until_an_email_comes_back(rows):
    bounced = [request for request in rows.of_the_year() if request.bounced_at]
    for institution, found in grouped(bounced, rows.institution):
        milliseconds = [(request.bounced_at - request.modified) // timedelta(milliseconds=1) for request in found]
        middle, slowest = Decimal(median(milliseconds)), Decimal(max(milliseconds))
        yield institution, len(found), round_to_tenth(middle / 60_000), round_to_tenth(slowest / 60_000)


@answer
def which_pathways_does_nobody_use(rows):
    used = {request.pathway_id for request in rows.of_the_year()}
    lines = []
    for pathway in rows.pathways.values():
        if pathway.pk not in used and pathway.status == "published" and pathway.pathway_type == "credit":
            programs = len([link for link in rows.links if link[0] == pathway.pk])
            asked = [request.created for request in rows.requests if request.pathway_id == pathway.pk]
            lines.append((pathway.org_name, pathway.name, programs, max(asked, default=None)))
    return sorted(lines, key=lambda line: line[:2])


def reason_against(rows, pathway, program):
    if pathway.status != "published":
        return pathway.status
    if pathway.pathway_type != "credit":
        return "not for credit"
    if not pathway.email:
        return "no address"
    if (pathway.pk, program.pk) not in rows.links:
        return "not linked"
    return "another site" if pathway.site_id != program.site_id else None


@answer
def which_requests_went_along_pathways_that_are_no_longer_requestable(rows):
    lines = []
    for key, found in grouped(rows.with_program(), lambda request: (request.pathway_id, request.program_id)):
        pathway, program = rows.pathways[key[0]], rows.programs[key[1]]
        reason, last = reason_against(rows, pathway, program), max(request.created for request in found)
        if reason:
            lines.append((*rows.names(pathway.pk), program.title, reason, len(found), last))
    return sorted(lines, key=lambda line: -line[4])


@answer
def which_mails_have_a_link_that_is_dead_now(rows):
    for request in rows.with_program():
        link = rows.shared.get((request.user_id, request.program_id))
        arrived = request.status == "sent" and not request.bounced_at
        if arrived and (link is None or link.created > request.modified):
            program = rows.programs[request.program_id].title
            yield request.pk, request.created, rows.institution(request), program, "yes" if link else "no"
