"""*Your credit requests* and the receipt of each one."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse, reverse_lazy
from django.utils import timezone

from credit_pathways import api
from credit_pathways.models import ImportedRow, ProgramCertRecord, UserCreditPathway
from tests import factories
from tests.support.html import parse
from tests.support.links import absolute_url
from tests.support.record_source import FixedRecordSource

pytestmark = pytest.mark.django_db(transaction=True)


#: A bounce, as ``record_bounces`` records it.
BOUNCE = {"bounced_at": datetime(2026, 6, 17, 15, tzinfo=UTC), "bounce_reason": "5.2.2 smtp; 552 5.2.2 over quota"}

BOUNCED = (
    "Sent The email was returned on June 17, 2026, so the institution did not receive it. "
    "The institution's mailbox is full."
)


def receipt(row):
    return reverse("credit_pathways:credit_request", args=[row.pk])


class TestCreditRequests:
    URL = reverse_lazy("credit_pathways:credit_requests")

    def test_lists_own_requests_newest_first(self, client, program, pathway, learner):
        factories.UserCreditPathwayFactory(program=program, pathway=pathway)
        for status, of in (("failed", program), ("sent", None), ("pending", program)):
            factories.UserCreditPathwayFactory(user=learner, program=of, pathway=pathway, status=status)
        [_head, *rows] = parse(client.get(self.URL)).rows
        pending, sent, failed = (
            UserCreditPathway.objects.filter(user=learner).order_by("-pk").values_list("pk", flat=True)
        )
        institution, again = "Northfield UniversityMaster of Science", "Statistics Request credit again"
        # Page.rows lists the heading of each row, the institution, first.
        assert [(row[1], row[0], row[3], row[4]) for row in rows] == [
            (f"{pending} Receipt", institution, again, "Waiting to be sent"),
            (f"{sent}", institution, "not recorded", "Sent"),
            (f"{failed} Receipt", institution, again, "Could not be sent"),
        ]
        assert not parse(client.get(self.URL)).buttons

    def test_an_email_that_came_back(self, client, program, pathway, learner):
        factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway, status="sent", **BOUNCE)
        assert parse(client.get(self.URL)).rows[1][4] == BOUNCED

    def test_links_to_receipts_and_records(self, client, program, pathway, learner):
        row = factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway)
        page = parse(client.get(self.URL))
        record = reverse("credit_pathways:program_record", args=[program.uuid])
        assert page.hrefs[-2:] == [receipt(row), record]
        assert all(client.get(href).status_code == 200 for href in page.hrefs)

    def test_a_record_on_another_site_is_linked_by_its_address(self, client, learner, settings):
        site = factories.SiteFactory(domain="other.example")
        row = factories.UserCreditPathwayFactory(user=learner, program=factories.ProgramFactory(site=site))
        address = absolute_url("program_record", row.program.uuid, domain="other.example")
        for page in (self.URL, receipt(row)):
            assert parse(client.get(page)).hrefs[-1] == address

    def test_fifty_requests_on_a_page(self, client, program, pathway, learner):
        factories.UserCreditPathwayFactory.create_batch(101, user=learner, program=program, pathway=pathway)
        pages = [parse(client.get(self.URL, {"page": number})) for number in (1, 2, 3)]
        assert [len(page.rows) - 1 for page in pages] == [50, 50, 1]
        assert [(page.text.count("Later requests"), page.text.count("Earlier requests")) for page in pages] == [
            (0, 1),
            (1, 1),
            (1, 0),
        ]

    @pytest.mark.parametrize("page", ["0", "2", "x", "-1", "\x00"])
    def test_an_invalid_page_is_not_found(self, page, client):
        assert client.get(self.URL, {"page": page}).status_code == 404

    def test_times_are_local_and_name_their_time_zone(self, client, program, pathway, learner, settings):
        row = factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway)
        type(row).objects.update(created=datetime(2026, 6, 15, 15, tzinfo=UTC))
        settings.TIME_ZONE = "America/Bogota"
        page = parse(client.get(self.URL))
        assert page.rows[1][2] == "June 15, 2026, 10 a.m."
        assert "times are those of America/Bogota" in page.text

    @pytest.mark.parametrize("name", ["index", "credit_requests"])
    def test_lists_are_not_cached(self, name, client):
        assert "no-store" in client.get(reverse(f"credit_pathways:{name}"))["Cache-Control"]

    def test_needs_a_login(self, client):
        client.logout()
        assert client.get(self.URL).status_code == 302


@pytest.fixture
def row(learner, program, pathway):
    """A credit request that was sent, for a shared record."""
    factories.ProgramCertRecordFactory(user=learner, program=program, created=timezone.now() - timedelta(days=1))
    return factories.UserCreditPathwayFactory(
        user=learner, program=program, pathway=pathway, status="sent", completed=True, sent_to="old@northfield.example"
    )


class TestReceipt:
    @pytest.fixture
    def details(self, client, row):
        """Return a function that updates the request and returns what its receipt says, by heading."""

        def read(**values):
            UserCreditPathway.objects.filter(pk=row.pk).update(**values)
            page = parse(client.get(receipt(row)))
            terms, texts = ([page.text_of(each) for each in page.find_all(tag)] for tag in ("dt", "dd"))
            return dict(zip(terms, texts, strict=True))

        return read

    def test_what_it_says(self, details, client, row):
        link = absolute_url("public_record", ProgramCertRecord.objects.get().uuid)
        assert details(created=datetime(2026, 6, 15, 15, tzinfo=UTC)) == {
            "Requested": "June 15, 2026, 3 p.m. (UTC)",
            "Learner": "Halima Khan",
            "Program": "Statistics",
            "Program completed when requested": "Yes",
            "Institution": "Northfield University",
            "Pathway": "Master of Science",
            "Email": "Sent",
            "Sent to": "old@northfield.example",
            "Public link": link,
        }
        page = parse(client.get(receipt(row)))
        assert page.text_of(page.find_all("h1")[0]) == f"Credit request {row.pk}"
        assert page.text_of(page.find_all("title")[0]) == f"Credit request {row.pk} | example.com"
        assert "Print" in page.buttons

    def test_the_platform_is_that_of_the_program(self, client, learner):
        site = factories.SiteFactory(name="Other Online")
        row = factories.UserCreditPathwayFactory(user=learner, program=factories.ProgramFactory(site=site))
        assert "Other Online" in parse(client.get(receipt(row))).text

    @pytest.mark.parametrize(("completed", "words"), [(False, "No"), (None, "Not recorded")])
    def test_completion_is_that_of_the_click(self, completed, words, details, monkeypatch):
        monkeypatch.setattr(FixedRecordSource, "completed", True)
        assert details(completed=completed)["Program completed when requested"] == words

    @pytest.mark.parametrize("status", ["pending", "failed"])
    def test_there_is_no_address_before_the_email_is_sent(self, status, details):
        assert "Sent to" not in details(status=status, sent_to="")

    def test_a_request_that_failed(self, details, client, row, pathway):
        type(pathway).objects.update(description="Apply by May.")
        assert details(status="failed")["Email"] == (
            "Could not be sent The institution may not have received this request. Request credit again."
        )
        assert "Apply by May." not in parse(client.get(receipt(row))).text

    def test_an_email_that_came_back(self, details, client, row, pathway):
        type(pathway).objects.update(description="Apply by May.")
        assert details(**BOUNCE)["Email"] == (
            f"{BOUNCED} Contact the institution, or request credit again in a few days."
        )
        assert "Apply by May." not in parse(client.get(receipt(row))).text

    def test_an_old_request_whose_address_was_not_recorded(self, details):
        assert details(sent_to="")["Sent to"] == "Not recorded"

    def test_an_imported_request(self, details, row):
        ImportedRow.objects.create(table="t", row_id=1, credit_request=row)
        assert details(status="pending", sent_to="", completed=None)["Email"] == "Not known"

    def test_a_withdrawn_link(self, details, learner, program):
        api.revoke_record(user=learner, program=program)
        assert details()["Public link"] == "Your record is not shared. The link in the email has stopped working."
        assert details(status="failed")["Public link"] == "Your record is not shared."

    def test_a_link_that_was_created_after_the_email(self, details, learner, program):
        api.revoke_record(user=learner, program=program)
        shared = api.share_record(user=learner, program=program)
        text = details()["Public link"]
        assert absolute_url("public_record", shared.uuid) in text
        assert text.endswith("To give the institution this link, request credit again.")
        assert "stopped working" not in details(status="failed")["Public link"]

    def test_an_old_request_without_a_program(self, details, client, row):
        read = details(program=None)
        assert (read["Program"], "Public link" in read) == ("Not recorded", False)
        assert "again" not in parse(client.get(receipt(row))).text

    def test_a_learner_without_a_full_name(self, details, learner):
        type(learner).objects.update(**factories.name_fields(""))
        assert details()["Learner"] == "halima"

    def test_numbers_are_not_formatted(self, client, learner, settings):
        settings.USE_THOUSAND_SEPARATOR = True
        row = factories.UserCreditPathwayFactory(pk=1234567, user=learner)
        for page in (client.get(receipt(row)), client.get(reverse("credit_pathways:credit_requests"))):
            assert "1234567" in parse(page).text
            assert "1,234,567" not in page.content.decode()

    def test_only_ones_own(self, client, row):
        theirs = factories.UserCreditPathwayFactory()
        for number in (theirs.pk, row.pk + 10**6, 2**63, "9" * 5000, "0"):
            assert client.get(f"{reverse('credit_pathways:credit_requests')}{number}/").status_code == 404

    def test_staff_have_no_access_either(self, admin_client, row):
        assert admin_client.get(receipt(row)).status_code == 404

    def test_it_needs_a_login_and_is_not_cached(self, client, row):
        assert "no-store" in client.get(receipt(row))["Cache-Control"]
        client.logout()
        assert client.get(receipt(row)).url.endswith(f"?next={receipt(row)}")


class TestNextSteps:
    def test_are_on_the_record_after_sending_and_on_the_receipt(self, client, program, pathway, relay):
        type(pathway).objects.update(
            description="Apply by May.\n\nBring <b>papers</b>.", destination_url="https://n.example/?a=1&b=2"
        )
        url = reverse("credit_pathways:program_record", args=[program.uuid])
        before = parse(client.get(url))
        client.post(f"{url}request-credit", {"pathway": pathway.pk})
        after = parse(client.get(url))
        row = UserCreditPathway.objects.get()
        for page, count in ((before, 1), (after, 2), (parse(client.get(receipt(row))), 1)):
            assert page.text.count("Apply by May. Bring <b>papers</b>.") == count
            assert page.hrefs.count("https://n.example/?a=1&b=2") == count
        [message] = after.messages
        assert message.endswith(f"Receipt for request {row.pk}")
        assert "Apply by May." in message
        assert receipt(row) in after.hrefs

    def test_a_request_that_failed_has_none(self, client, program, pathway, relay):
        type(pathway).objects.update(description="Apply by May.")
        relay.replies["RCPT"] = "550 No"
        url = reverse("credit_pathways:program_record", args=[program.uuid])
        client.post(f"{url}request-credit", {"pathway": pathway.pk})
        [message] = parse(client.get(url)).messages
        assert "Apply by May." not in message

    def test_a_message_leads_to_ones_own_receipt_only(self, client, program, pathway, relay):
        url = reverse("credit_pathways:program_record", args=[program.uuid])
        client.post(f"{url}request-credit", {"pathway": pathway.pk})
        UserCreditPathway.objects.update(user=factories.UserFactory())
        page = parse(client.get(url))
        assert len(page.messages) == 1
        assert receipt(UserCreditPathway.objects.get()) not in page.hrefs

    def test_on_the_list_of_programs_too(self, client, program, pathway, relay, settings):
        [engine] = settings.TEMPLATES
        settings.TEMPLATES = [{**engine, "OPTIONS": {**engine["OPTIONS"], "string_if_invalid": "INVALID"}}]
        client.post(reverse("credit_pathways:request_credit", args=[program.uuid]), {"pathway": pathway.pk})
        client.post(reverse("credit_pathways:revoke", args=[program.uuid]))
        page = parse(client.get(reverse("credit_pathways:index")))
        assert len(page.messages) == 2
        assert receipt(UserCreditPathway.objects.get()) in page.hrefs

    def test_none(self, client, row):
        page = parse(client.get(receipt(row)))
        assert "Next steps" not in page.text

    @pytest.mark.parametrize(
        "address", ["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "//x.example"]
    )
    def test_an_address_that_was_saved_without_validation_is_not_linked(self, address, client, row, pathway, program):
        type(pathway).objects.update(destination_url=address)
        for url in (receipt(row), reverse("credit_pathways:program_record", args=[program.uuid])):
            assert address not in client.get(url).content.decode()
