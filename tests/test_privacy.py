"""No personal data in logs, error reports or the broker (promise 9). ``seen_by_operators`` checks that in all tests."""

import logging
from smtplib import SMTPException

import pytest
from edx_ace.channel import Channel, ChannelMap, ChannelType
from edx_ace.errors import FatalChannelDeliveryError

from credit_pathways import api
from credit_pathways.delivery.message import credit_request_message
from credit_pathways.records import current_record
from credit_pathways.tasks import deliver_credit_request
from tests import factories
from tests.support import privacy
from tests.support.celery_app import app
from tests.support.record_source import EARNED

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def leaks(seen_by_operators):
    """Return a function that returns the leaks so far, which then no longer fail the test."""

    def leaks():
        leaks = privacy.leaks(seen_by_operators)
        seen_by_operators.clear()
        return leaks

    return leaks


class TestTheCheck:
    def test_it_knows_the_learners_and_their_grades(self, learner):
        users = [learner, factories.UserFactory.build()]
        texts = [getattr(user, name) for user in users for name in ("username", "first_name", "last_name", "email")]
        texts += [str(EARNED.percent_grade), f"{EARNED.rounded_percent}%", EARNED.letter_grade]
        assert len(privacy.leaks(texts)) == len(texts)

    @pytest.mark.parametrize("name", privacy.LOGGERS)
    def test_the_argument_of_a_log_line(self, name, leaks):
        logging.getLogger(f"{name}.child").debug("sent for %s", "Halima")
        assert len(leaks()) == 1

    def test_the_text_of_an_error(self, leaks):
        logging.getLogger("credit_pathways").info("failed", exc_info=LookupError("no grades for Khan"))
        assert len(leaks()) == 1

    @pytest.mark.parametrize("name", [*privacy.LOGGERS, "django.dispatch"])
    def test_a_variable_in_an_email_to_admins(self, name, learner, leaks):
        try:
            int("learner")
        except ValueError:
            logging.getLogger(name).exception("failed")
        [leak] = leaks()
        assert "email to ADMINS" in leak

    def test_the_argument_of_a_task(self, leaks):
        app.send_task("task", ["halima@home.example"])
        assert len(leaks()) == 1


def test_what_error_reports_show_of_our_objects(request_row):
    record = current_record(request_row)
    message = credit_request_message(request_row, record)
    objects = [request_row, record, record.shared_record, record.progress, *record.progress.courses, message]
    assert privacy.leaks(map(repr, objects)) == []


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
def test_a_mail_server_that_quotes_the_email(command, request_row, relay, settings, leaks):
    """The institution's email to a worker, and the learner's one about that."""
    settings.CREDIT_PATHWAYS_CELERY_ATTEMPTS = 1
    relay.replies[command] = "550 Halima Khan <halima@home.example> is not known here"
    deliver_credit_request.apply([request_row.pk])
    request_row.refresh_from_db()
    assert (request_row.status, relay.messages, leaks()) == ("failed", [], [])


class RevealingChannel(Channel):
    """An email channel that raises ``error`` with all of the learner's data."""

    channel_type = ChannelType.EMAIL

    def __init__(self, error):
        self.error = error

    def deliver(self, message, rendered_message):
        raise self.error(f"not sent: {message.context} {message.options} {message.recipient}")


@pytest.mark.parametrize("error", [FatalChannelDeliveryError, SMTPException, OSError])
def test_a_channel_that_quotes_the_email(error, request_row, ace_plugins, leaks):
    ace_plugins(channels=ChannelMap([["django_email", RevealingChannel(error)]]))
    assert (api.deliver(request_row), leaks()) == ("failed", [])
