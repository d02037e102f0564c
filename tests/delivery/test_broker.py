"""Handing requests to Celery: what is queued, and what happens if the broker is unavailable."""

import logging
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection, transaction
from django.urls import reverse

from credit_pathways import api
from credit_pathways.delivery import broker, sending
from credit_pathways.models import UserCreditPathway
from credit_pathways.tasks import deliver_credit_request
from tests import factories
from tests.support import smtp
from tests.support.celery_app import app

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _celery(settings):
    settings.CREDIT_PATHWAYS_DELIVERY = "celery"
    yield
    with app.connection() as broker, broker.SimpleQueue("credit_pathways") as queue:
        queue.clear()


def queued():
    """Remove the messages from the queue and return them."""
    with app.connection() as broker, broker.SimpleQueue("credit_pathways") as queue:
        return [queue.get(block=False) for _message in range(queue.qsize())]


def post_send(client, program, pathway):
    body = {"username": "halima", "pathway_id": pathway.pk}
    return client.post(reverse("credit_pathways:send", args=[program.uuid]), body, content_type="application/json")


def press_send(client, program, *pathways):
    url = reverse("credit_pathways:request_credit", args=[program.uuid])
    return client.post(url, {"pathway": [pathway.pk for pathway in pathways]}, follow=True)


class TestQueued:
    def test_send_responds_with_202(self, client, program, pathway, relay):
        answer = post_send(client, program, pathway)
        row = UserCreditPathway.objects.get()
        assert (answer.status_code, answer.json()) == (202, {"id": row.pk, "status": "pending"})
        assert (row.status, relay.messages) == ("pending", [])
        [message] = queued()
        assert message.payload[0] == [row.pk, 0]

    def test_the_page_says_so(self, client, program, pathway):
        page = press_send(client, program, pathway)
        [message] = page.context["messages"]
        assert message.level_tag == "info"
        assert "your request to Northfield University is recorded and waiting to be sent" in page.content.decode()

    def test_each_pathway_has_its_own_message(self, client, program, pathway):
        press_send(client, program, pathway, factories.PathwayFactory(programs=[program]))
        assert [message.payload[0] for message in queued()] == [[pk, 0] for pk in sorted(ids())]

    def test_nothing_personal_is_in_the_message(self, client, learner, program, pathway):
        post_send(client, program, pathway)
        [message] = queued()
        text = f"{message.body} {message.headers} {message.properties} {message.delivery_info}".lower()
        assert "deliver_credit_request" in text
        for word in ("halima", "khan", learner.email, pathway.email, str(program.uuid), "statistics"):
            assert word.lower() not in text

    def test_the_time_limits_come_from_settings(self, client, program, pathway, settings):
        settings.CREDIT_PATHWAYS_CELERY_TIME_LIMIT = 77
        post_send(client, program, pathway)
        [message] = queued()
        assert message.headers["timelimit"] == [77 + broker.KILL_DELAY, 77]

    def test_the_queue_comes_from_settings(self, client, program, pathway, settings):
        settings.CREDIT_PATHWAYS_CELERY_QUEUE = "another"
        post_send(client, program, pathway)
        assert queued() == []
        with app.connection() as broker, broker.SimpleQueue("another") as queue:
            assert queue.get(block=False).payload[0] == [*ids(), 0]

    def test_a_rolled_back_transaction_queues_nothing(self, learner, program, pathway):
        with transaction.atomic():
            api.request_credit(user=learner, program=program, pathways=[pathway])
            transaction.set_rollback(True)
        assert queued() == []

    def test_the_log_has_the_id(self, client, program, pathway, caplog):
        caplog.set_level(logging.INFO, logger="credit_pathways")
        post_send(client, program, pathway)
        [pk] = ids()
        lines = [line.getMessage() for line in caplog.records if line.name.startswith("credit_pathways")]
        assert lines == [f"credit request {pk}: queued"]

    @pytest.mark.parametrize(("answer", "status", "code"), [("250 OK", "sent", 200), ("550 no", "failed", 502)])
    def test_eager_tasks_send_immediately(self, answer, status, code, client, program, pathway, relay, settings):
        settings.CELERY_TASK_ALWAYS_EAGER = True
        relay.replies["RCPT"] = answer
        response = post_send(client, program, pathway)
        assert (response.status_code, response.json()["status"], UserCreditPathway.objects.get().status) == (
            code,
            status,
            status,
        )


def ids():
    return UserCreditPathway.objects.values_list("pk", flat=True)


@contextmanager
def refused():
    yield f"amqp://127.0.0.1:{smtp.free_port()}//"


@contextmanager
def silent():
    """The broker accepts the connection and stays silent."""
    with smtp.misbehaving_server(b"", hangs=True) as port:
        yield f"amqp://127.0.0.1:{port}//"


@contextmanager
def unknown():
    """The broker's host name does not resolve."""
    yield "amqp://broker.invalid//"


@contextmanager
def nonsense():
    yield "pigeon://loft"


@pytest.fixture(params=[refused, silent, unknown, nonsense])
def broken_broker(request, settings, monkeypatch):
    """Make the broker unavailable in each way. Return a function that makes it available again."""
    monkeypatch.setattr(broker, "BROKER_TIMEOUT", 0.3)
    working = settings.CELERY_BROKER_URL
    with request.param() as settings.CELERY_BROKER_URL:
        yield lambda: setattr(settings, "CELERY_BROKER_URL", working)
    settings.CELERY_BROKER_URL = working


class TestBrokenBroker:
    def test_send_responds_with_502_and_the_next_request_works(self, broken_broker, client, program, pathway):
        began = time.monotonic()
        answer = post_send(client, program, pathway)
        assert time.monotonic() - began < 6  # three steps of BROKER_TIMEOUT, which is 0.3 here
        row = UserCreditPathway.objects.get()
        assert (answer.status_code, answer.json()) == (502, {"id": row.pk, "status": "failed"})
        assert (row.status, row.attempts, row.failure_reason) == ("failed", 0, "The request could not be queued")
        broken_broker()
        assert post_send(client, program, pathway).status_code == 202

    def test_the_learner_is_told(self, broken_broker, client, program, pathway):
        page = press_send(client, program, pathway, factories.PathwayFactory(programs=[program]))
        assert [message.level_tag for message in page.context["messages"]] == ["error", "error"]
        assert "could not be sent to Northfield University. Please try again" in page.content.decode()
        assert set(UserCreditPathway.objects.values_list("status", flat=True)) == {"failed"}

    def test_several_pathways_wait_once(self, broken_broker, client, program):
        pathways = factories.PathwayFactory.create_batch(15, programs=[program])
        began = time.monotonic()
        page = press_send(client, program, *pathways)
        assert time.monotonic() - began < 6
        assert {message.level_tag for message in page.context["messages"]} == {"error"}
        assert list(UserCreditPathway.objects.values_list("status", flat=True)) == ["failed"] * 15

    def test_the_learner_is_told_even_without_a_database(self, broken_broker, client, program, pathway):
        def away(execute, sql, params, many, context):
            if sql.startswith("UPDATE") and "usercreditpathway" in sql:
                raise OperationalError("away")
            return execute(sql, params, many, context)

        with connection.execute_wrapper(away):
            answer = post_send(client, program, pathway)
        assert (answer.status_code, answer.json()["status"]) == (502, "failed")
        assert UserCreditPathway.objects.get().status == "pending"

    def test_a_worker_that_receives_the_message_later_does_not_send_it(self, broken_broker, client, program, pathway):
        post_send(client, program, pathway)
        deliver_credit_request.apply(list(ids())).get()
        assert UserCreditPathway.objects.get().status == "failed"

    @pytest.mark.parametrize("broken_broker", [silent], indirect=True)
    def test_it_does_not_undo_what_a_quick_worker_has_sent(
        self, broken_broker, client, program, pathway, relay, monkeypatch
    ):
        """The broker accepted the message, but its confirmation was lost."""
        apply_async = deliver_credit_request.apply_async

        def work_first(args, **options):
            deliver_credit_request.apply(args).get()
            return apply_async(args, **options)

        monkeypatch.setattr(deliver_credit_request, "apply_async", work_first)
        answer = post_send(client, program, pathway)
        assert (answer.status_code, answer.json()["status"], len(relay.messages)) == (200, "sent", 1)

    def test_a_click_has_a_limited_time(self, client, program, pathway, monkeypatch):
        monkeypatch.setattr(sending, "MAX_DELIVERY_SECONDS", -1)
        page = press_send(client, program, pathway, factories.PathwayFactory(programs=[program]))
        assert [message.level_tag for message in page.context["messages"]] == ["error", "error"]
        assert queued() == []

    def test_the_log_has_the_kind_of_error(self, broken_broker, client, program, pathway, caplog):
        post_send(client, program, pathway)
        lines = [line.getMessage() for line in caplog.records if line.name.startswith("credit_pathways")]
        [pk] = ids()
        assert lines[0].startswith(f"credit request {pk}: not queued: ")
        assert lines[1] == f"credit request {pk}: failed"


WITHOUT_CELERY = """
import sys
sys.modules.update(celery=None, kombu=None)
import django
from django.core.management import call_command
django.setup()
call_command("check", fail_level="WARNING")
from credit_pathways import urls
from django.test.utils import override_settings
from django.core.checks import run_checks
with override_settings(CREDIT_PATHWAYS_DELIVERY="celery"):
    print([message.id for message in run_checks()])
"""


def test_only_delivery_by_celery_needs_celery():
    done = subprocess.run([sys.executable, "-c", WITHOUT_CELERY], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['credit_pathways.E008']"
