"""Recording bounces, and explaining them."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone, translation

from credit_pathways import api
from credit_pathways.delivery import bounce_reasons
from credit_pathways.delivery.bounce_reasons import explain
from credit_pathways.delivery.bounces import _without_personal_data
from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support.threads import run_concurrently

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_learner_emails")]

REASON = "5.1.1 smtp; 550 5.1.1 User unknown"


@pytest.fixture
def row(request_row):
    created = timezone.now() - timedelta(days=2)
    UserCreditPathway.objects.update(status="sent", created=created, modified=created + timedelta(seconds=2))
    request_row.refresh_from_db()
    return request_row


def rows():
    return list(UserCreditPathway.objects.order_by("pk").values())


class TestRecordBounce:
    def test_a_learner_whose_account_has_no_full_name(self, row, monkeypatch):
        monkeypatch.setattr(type(row.user), "get_full_name", lambda _self: None)
        assert api.record_bounce(request_id=row.pk, reason=f"{REASON} halima")
        assert UserCreditPathway.objects.get().bounce_reason == f"{REASON} …"

    @pytest.mark.parametrize(
        ("first_name", "last_name", "quoted"),
        [("Anna ", "Okafor", "Anna Okafor"), ("Ane\u0301", "Okafor", "An\u00e9 Okafor"), ("O", "🚀", "O 🚀")],
        ids=ascii,
    )
    def test_a_name_that_is_written_in_another_way(self, row, first_name, last_name, quoted):
        row.user.get_full_name = lambda: f"{first_name} {last_name}"
        assert _without_personal_data(f"550 {quoted} rejected", row.user) == "550 … rejected"

    @pytest.mark.parametrize("username", ["5", "1", "550"])
    def test_a_username_that_is_a_number(self, row, username):
        row.user.username = username
        assert _without_personal_data(REASON, row.user).startswith("5.1.1 smtp; ")
        assert _without_personal_data("5.1.1 user 77 unknown", type(row.user)(username="77")) == "5.1.1 user … unknown"

    @pytest.mark.parametrize("at", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)])
    def test_a_time_that_no_page_can_show(self, row, at, client, settings):
        settings.TIME_ZONE = "Asia/Tokyo"
        began = timezone.now()
        assert api.record_bounce(request_id=row.pk, reason=REASON, at=at)
        assert began <= UserCreditPathway.objects.get().bounced_at <= timezone.now()

    def test_changes_these_two_columns(self, row):
        factories.UserCreditPathwayFactory(status="sent")
        before, other = rows()
        began = timezone.now()
        assert api.record_bounce(request_id=row.pk, reason=REASON)
        after, unchanged = rows()
        assert began <= after["bounced_at"] <= timezone.now()
        assert after == {**before, "bounced_at": after["bounced_at"], "bounce_reason": REASON}
        assert unchanged == other

    def test_the_time_can_be_given(self, row):
        at = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
        assert api.record_bounce(request_id=row.pk, reason=REASON, at=at)
        assert UserCreditPathway.objects.get().bounced_at == at

    def test_a_second_one_changes_nothing(self, row):
        api.record_bounce(request_id=row.pk, reason=REASON)
        first = rows()
        assert not api.record_bounce(request_id=row.pk, reason="5.2.2 full", at=timezone.now())
        assert rows() == first

    @pytest.mark.parametrize("status", ["pending", "failed"])
    def test_a_request_that_was_not_sent_cannot_bounce(self, status, row):
        UserCreditPathway.objects.update(status=status)
        before = rows()
        assert not api.record_bounce(request_id=row.pk, reason=REASON)
        assert rows() == before

    @pytest.mark.parametrize("request_id", [0, -1, 4711, 2**63 - 1])
    def test_an_unknown_request(self, request_id, row):
        assert not api.record_bounce(request_id=request_id, reason=REASON)
        assert UserCreditPathway.objects.get().bounced_at is None

    @pytest.mark.parametrize(
        ("reason", "stored"),
        [
            ("a\r\n b\t\x00c\u202e", "a b c"),
            ("5.1.1 Empfänger unbekannt", "5.1.1 Empfänger unbekannt"),
            ("mailbox \U0001f4a3 full", "mailbox \ufffd full"),
            ("x" * 1000, "x" * 255),
            ("漢" * 1000, "漢" * 255),
            ("", ""),
        ],
        ids=ascii,
    )
    def test_the_reason_is_one_line_that_every_database_stores(self, reason, stored, row):
        assert api.record_bounce(request_id=row.pk, reason=reason)
        assert UserCreditPathway.objects.get().bounce_reason == stored

    @pytest.mark.usual_users
    def test_the_reason_does_not_name_the_learner(self, row):
        """A spam filter quotes the subject, or whom the reply would go to."""
        subject = f"'Credit request {row.pk} from Halima Khan: Statistics' (halima@home.example)"
        api.record_bounce(request_id=row.pk, reason=f"5.7.1 smtp; 550 rejected {subject}")
        stored = UserCreditPathway.objects.get().bounce_reason
        assert stored == f"5.7.1 smtp; 550 rejected 'Credit request {row.pk} from …: Statistics' (…)"

    @pytest.mark.skipif("not connection.features.has_select_for_update", reason="no row locks in this database")
    def test_a_report_that_is_quicker_than_the_delivery_waits_for_it(self, row, relay):
        UserCreditPathway.objects.update(status="pending")
        in_flight, recorded = threading.Event(), []

        def report():
            assert in_flight.wait(10)
            recorded.append(api.record_bounce(request_id=row.pk, reason=REASON))
            connection.close()

        relay.on_data = lambda: (in_flight.set(), time.sleep(0.3))
        reporter = threading.Thread(target=report)
        reporter.start()
        assert api.deliver(UserCreditPathway.objects.get()) == "sent"
        reporter.join()
        assert (recorded, UserCreditPathway.objects.get().bounce_reason) == ([True], REASON)

    def test_concurrent_reports_record_one(self, row):
        results = run_concurrently(4, lambda: api.record_bounce(request_id=row.pk, reason=REASON))
        assert sorted(results) == [False, False, False, True]

    def test_it_is_logged_without_the_reason(self, row, caplog):
        caplog.set_level(logging.INFO, logger="credit_pathways")
        api.record_bounce(request_id=row.pk, reason=f"{REASON} <registrar@northfield.example>")
        lines = [line for line in caplog.records if line.name.startswith("credit_pathways")]
        assert [(line.levelname, line.getMessage()) for line in lines] == [
            ("WARNING", f"credit request {row.pk}: bounced")
        ]


class TestExplain:
    @pytest.mark.parametrize(
        ("reason", "words"),
        [
            (REASON, "address does not exist"),
            ("5.1.3 bad syntax", "address does not exist"),
            ("5.1.6 moved, no forwarding address", "address does not exist"),
            ("5.4.310 smtp;550 5.4.310 DNS domain does not exist", "domain"),
            ("5.1.10 smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound", "address does not exist"),
            ("5.1.2 smtp; host or domain name not found", "domain"),
            ("4.4.7 smtp; 400 4.4.7 message delayed", "could not be reached"),
            ("4.4.1 smtp; connect to 192.0.2.1: timed out", "could not be reached"),
            ("5.4.1 smtp; 550 5.4.1 Recipient address rejected: Access denied", "refused"),
            ("5.4.4 smtp; no route", "domain"),
            ("5.7.1 smtp; 554 5.7.1 spam", "refused"),
            ("5.7.606 banned", "refused"),
            ("5.2.1 disabled", "disabled"),
            ("4.2.2 mailbox full", "full"),
            ("5.2.3 too long", "larger"),
            ("5.3.4 too big", "larger"),
            ("5.0.0 smtp; 550 5.1.1 no such user", "address does not exist"),  # the more precise of two
            ("5.1.1 (bad destination mailbox address)", "address does not exist"),
            ("SMTP error: 5.2.2", "full"),
            ("5.0.0 smtp; 550 no", "No clear reason"),
            ("5.5.1 bad sequence", "No clear reason"),
            ("5.99.99", "No clear reason"),
            ("2.1.1 fine 10.5.1.1 5.1.1.7 x5.1", "address does not exist"),
            ("10.5.1.1 and 5.1.1.7", "No clear reason"),
            ("", "No clear reason"),
        ],
    )
    def test_common_codes(self, reason, words, settings):
        assert words in explain(reason)

    def test_is_translated(self, settings):
        sentences = {*bounce_reasons.EXPLANATIONS.values(), bounce_reasons.OTHER}
        with translation.override("fr"):
            translated = {
                explain(code if code.count(".") == 2 else f"5.{code}") for code in bounce_reasons.EXPLANATIONS
            }
        assert len(sentences) == 8
        assert not translated & sentences
