"""What emails to learners say, and to whom."""

import pytest
from django.utils import translation
from edx_ace.channel import ChannelMap
from edx_ace.channel.django_email import DjangoEmailChannel
from edx_ace.policy import Policy, PolicyResult

from credit_pathways.delivery import learner_emails
from credit_pathways.delivery.bounce_reasons import explain
from credit_pathways.delivery.learner_emails import Event
from credit_pathways.models import UserCreditPathway
from tests import factories
from tests.support.failures import TalkativeChannel
from tests.support.html import Page
from tests.support.links import absolute_url
from tests.support.record_source import FixedRecordSource

from .test_learner_emails import BOUNCED_AT, LEARNER, bounce, recipients

pytestmark = pytest.mark.django_db(transaction=True)


def texts(mail):
    return [mail.get_body((kind,)).get_content() for kind in ("plain", "html")]


def speaks_french(source, user):
    return "fr" if user.username == "halima" else None


class TestWhatItSays:
    def mail(self, event, row, relay, **values):
        UserCreditPathway.objects.update(**values)
        assert learner_emails.send(row.pk, event)
        return relay.messages[-1]

    @pytest.mark.parametrize(
        ("event", "values", "subject", "sentence"),
        [
            ("sent", {}, "was sent to", "Your request for credit was sent to"),
            ("failed", {"status": "failed"}, "could not be sent to", "We have stopped trying,"),
            ("bounced", {"bounced_at": BOUNCED_AT, "bounce_reason": "5.2.2 full"}, "did not reach", "is full."),
        ],
    )
    def test_both_parts(self, event, values, subject, sentence, sent_row, relay):
        mail = self.mail(Event(event), sent_row, relay, **values)
        number = sent_row.pk
        assert mail["Subject"] == f"Credit request {number} {subject} Northfield University"
        assert (mail["To"], mail["From"], mail["Reply-To"]) == (LEARNER, "no-reply@example.com", None)
        assert (mail["Auto-Submitted"], mail["X-Credit-Request"]) == ("auto-generated", None)
        text, html = texts(mail)
        html_page = Page(html)
        for part in (sentence, f"Request number: {number}", "Program: Statistics", "Pathway: Master of Science"):
            assert part in text
            assert part in html_page.text
        receipt = absolute_url("credit_request", number)
        assert receipt in text.splitlines()
        assert html_page.hrefs == [receipt]

    def test_next_steps_are_in_the_confirmation_only(self, sent_row, pathway, relay):
        pathway.description, pathway.destination_url = "Send us\nyour form.", "https://northfield.example/credit"
        pathway.save()
        for text in texts(self.mail(Event.SENT, sent_row, relay)):
            assert "Send us" in text
            assert pathway.destination_url in text
        bounced = self.mail(Event.BOUNCED, sent_row, relay, bounced_at=BOUNCED_AT)
        failed = self.mail(Event.FAILED, sent_row, relay, status="failed", bounced_at=None)
        for text in [*texts(bounced), *texts(failed)]:
            assert "Next steps" not in text
            assert "Send us" not in text
            assert pathway.destination_url not in text

    def test_next_steps_without_a_description(self, sent_row, pathway, relay):
        type(pathway).objects.update(destination_url="https://northfield.example/credit")
        text, html = texts(self.mail(Event.SENT, sent_row, relay))
        lines = text.splitlines()
        assert lines[lines.index("Next steps:") + 1] == "https://northfield.example/credit"
        assert "Next steps: Next steps at Northfield University" in Page(html).text

    def test_the_description_has_its_own_direction_and_lines(self, sent_row, pathway, relay):
        type(pathway).objects.update(description="أرسل\nالنموذج")
        page = Page(texts(self.mail(Event.SENT, sent_row, relay))[1])
        [element] = [each for each in page.find_all("div") if page.attributes(each).get("dir") == "auto"]
        assert page.text_of(element) == "أرسلالنموذج"
        assert len(page.find_all("br", inside=element)) == 1

    def test_an_unsafe_address_of_next_steps_is_left_out(self, sent_row, pathway, relay):
        type(pathway).objects.update(destination_url="javascript:alert(1)")
        assert not any("javascript" in text for text in texts(self.mail(Event.SENT, sent_row, relay)))

    def test_the_language_is_the_learners(self, sent_row, relay, settings, monkeypatch):
        settings.CREDIT_PATHWAYS_EMAIL_LANGUAGE = "ar"
        assert '<div lang="en' in texts(self.mail(Event.SENT, sent_row, relay))[1]
        monkeypatch.setattr(FixedRecordSource, "learner_language", speaks_french)
        assert '<div lang="fr" dir="ltr">' in texts(self.mail(Event.SENT, sent_row, relay))[1]

    def test_all_of_it_is_in_the_learners_language(self, sent_row, relay, monkeypatch):
        monkeypatch.setattr(FixedRecordSource, "learner_language", speaks_french)
        with translation.override("fr"):
            explanation = explain("5.2.2")
        assert explanation != explain("5.2.2")
        mail = self.mail(Event.BOUNCED, sent_row, relay, bounced_at=BOUNCED_AT, bounce_reason="5.2.2 full")
        text, html = texts(mail)
        assert (explanation in text, explanation in Page(html).text) == (True, True)

    def test_the_site_is_the_pathways(self, learner, relay):
        site = factories.SiteFactory(domain="other.example")
        program = factories.ProgramFactory(site=site)
        pathway = factories.PathwayFactory(site=site, programs=[program])
        row = factories.UserCreditPathwayFactory(user=learner, program=program, pathway=pathway, status="failed")
        mail = self.mail(Event.FAILED, row, relay)
        assert mail["From"] == "no-reply@other.example"
        assert mail["Message-ID"].endswith("@other.example>")
        for text in texts(mail):
            assert absolute_url("credit_request", row.pk, domain="other.example") in text

    def test_the_platforms_name_is_one_line(self, sent_row, relay, settings):
        settings.CREDIT_PATHWAYS_PLATFORM_NAME = "Example\n\u202eOnline"
        text, html = texts(self.mail(Event.SENT, sent_row, relay))
        sentence = "Example Online sent you this email because you requested credit."
        assert sentence in text.splitlines()
        assert sentence in Page(html).text

    def test_the_direction_is_that_of_the_language(self, sent_row, relay, monkeypatch):
        monkeypatch.setattr(FixedRecordSource, "learner_language", lambda _source, _user: "ar")
        assert '<div lang="ar" dir="rtl">' in texts(self.mail(Event.SENT, sent_row, relay))[1]

    def test_the_request_number_is_not_formatted(self, learner, program, pathway, relay, settings):
        settings.USE_THOUSAND_SEPARATOR = True
        row = factories.UserCreditPathwayFactory(
            pk=1234567, user=learner, program=program, pathway=pathway, status="failed"
        )
        mail = self.mail(Event.FAILED, row, relay)
        assert all("1234567" in text for text in [mail["Subject"], *texts(mail)])

    def test_a_request_without_a_program(self, learner, pathway, relay):
        row = factories.UserCreditPathwayFactory(user=learner, program=None, pathway=pathway, status="sent")
        assert bounce(row)
        assert all("Program" not in text for text in texts(relay.messages[0]))

    def test_every_attempt_has_the_same_message_id(self, sent_row, relay):
        ids = [self.mail(event, sent_row, relay)["Message-ID"] for event in (Event.SENT, Event.SENT)]
        assert ids[0] == ids[1]
        assert ids[0].endswith("@example.com>")


class TestTo:
    """The recipient, as edx-ace and the host's policies see it."""

    def test_the_host_says_which_field_has_the_address(self, sent_row, learner, relay, monkeypatch):
        monkeypatch.setattr(type(learner), "EMAIL_FIELD", "last_name")
        type(learner).objects.update(last_name="new@home.example")
        assert bounce(sent_row)
        assert recipients(relay) == ["new@home.example"]

    def test_policies_see_which_user_it_is(self, sent_row, learner, relay, monkeypatch, ace_plugins):
        class Observe(Policy):
            def check(self, message):
                seen.append(message.recipient.lms_user_id)
                return PolicyResult(deny=set())

        seen = []
        ace_plugins(policies=[Observe()])
        monkeypatch.setattr(type(learner), "lms_user_id", 42, raising=False)
        assert bounce(sent_row)
        assert (seen, recipients(relay)) == ([42], [LEARNER])

    def test_the_transactional_channel_is_used_if_there_is_one(self, sent_row, relay, settings, ace_plugins):
        ace_plugins(channels=ChannelMap([["bulk", TalkativeChannel()], ["django_email", DjangoEmailChannel()]]))
        settings.ACE_CHANNEL_DEFAULT_EMAIL = "bulk"
        assert learner_emails.send(sent_row.pk, Event.SENT)
        del settings.ACE_CHANNEL_TRANSACTIONAL_EMAIL
        assert not learner_emails.send(sent_row.pk, Event.SENT)
        settings.ACE_CHANNEL_DEFAULT_EMAIL = "django_email"
        assert learner_emails.send(sent_row.pk, Event.SENT)

    def test_a_replica_is_not_asked(self, sent_row, relay, settings):
        """It may not have the outcome yet."""
        settings.DATABASE_ROUTERS = [Replica()]
        assert learner_emails.send(sent_row.pk, Event.SENT)
        assert recipients(relay) == [LEARNER]


class Replica:
    """A database router that reads requests from a database that is away."""

    def db_for_read(self, model, **hints):
        return "replica" if model is UserCreditPathway else None
