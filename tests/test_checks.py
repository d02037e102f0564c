"""System checks: each id, and that a correctly configured host has no messages."""

import pytest
from django.core import checks
from django.core.management import call_command


class SourceWithoutLanguages:
    """A record source that is not a subclass of ours, and lacks one of its methods."""

    progress = programs = site_configuration = staticmethod(lambda *_arguments: None)


CELERY = {"CREDIT_PATHWAYS_DELIVERY": "celery"}

#: Id of the check, and settings that it reports.
INVALID = [
    ("E001", {"CREDIT_PATHWAYS_RECORD_SOURCE": "nowhere.Source"}),
    ("E001", {"CREDIT_PATHWAYS_RECORD_SOURCE": "not a path"}),
    ("E001", {"CREDIT_PATHWAYS_RECORD_SOURCE": "credit_pathways.records.Progress"}),
    ("E001", {"CREDIT_PATHWAYS_RECORD_SOURCE": "credit_pathways.conf.delivery"}),
    ("E001", {"CREDIT_PATHWAYS_RECORD_SOURCE": "tests.test_checks.SourceWithoutLanguages"}),
    ("E002", {"CREDIT_PATHWAYS_DELIVERY": "pigeon"}),
    ("E003", {"CREDIT_PATHWAYS_REQUEST_RATE": "often"}),
    ("E003", {"CREDIT_PATHWAYS_REQUEST_RATE": "15/fortnight"}),
    ("E003", {"CREDIT_PATHWAYS_REQUEST_RATE": "many/minute"}),
    ("E003", {"CREDIT_PATHWAYS_REQUEST_RATE": "15/"}),
    ("E003", {"CREDIT_PATHWAYS_REQUEST_RATE": 15}),
    ("E003", {"CREDIT_PATHWAYS_REQUEST_RATE": ""}),
    ("E003", {"CREDIT_PATHWAYS_REQUEST_RATE": "0/minute"}),
    ("E003", {"CREDIT_PATHWAYS_REQUEST_RATE": "-1/minute"}),
    ("E004", {"CREDIT_PATHWAYS_LINK_SCHEME": ["https"]}),
    ("E005", {"CREDIT_PATHWAYS_PUBLIC_RECORD_URL": 5}),
    ("E006", {"CREDIT_PATHWAYS_FROM_ADDRESS": 5}),
    ("W001", {"ACE_ENABLED_CHANNELS": None}),
    ("E004", {"CREDIT_PATHWAYS_LINK_SCHEME": "javascript"}),
    ("E005", {"CREDIT_PATHWAYS_PUBLIC_RECORD_URL": "https://record.example.com/"}),
    ("E005", {"CREDIT_PATHWAYS_PUBLIC_RECORD_URL": "record.example.com/{uuid}"}),
    ("E006", {"CREDIT_PATHWAYS_FROM_ADDRESS": "nobody"}),
    ("W001", {"ACE_ENABLED_CHANNELS": []}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_ATTEMPTS": 0}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_ATTEMPTS": "3"}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_ATTEMPTS": True}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_BACKOFF": -1}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_TIME_LIMIT": None}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_ATTEMPTS": float("nan")}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_QUEUE": ""}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_QUEUE": 5}),
    ("W001", {"ACE_CHANNEL_DEFAULT_EMAIL": None}),
    ("E012", {"CREDIT_PATHWAYS_LEARNER_EMAILS": "some"}),
    ("E012", {"CREDIT_PATHWAYS_LEARNER_EMAILS": "fail"}),
    ("E012", {"CREDIT_PATHWAYS_LEARNER_EMAILS": ["all"]}),
    ("E012", {"CREDIT_PATHWAYS_LEARNER_EMAILS": None}),
]

VALID = [
    CELERY,
    {**CELERY, "CREDIT_PATHWAYS_CELERY_ATTEMPTS": 1, "CREDIT_PATHWAYS_CELERY_BACKOFF": 0.5},
    {"CREDIT_PATHWAYS_CELERY_ATTEMPTS": "never read"},
    {"CREDIT_PATHWAYS_REQUEST_RATE": None},
    {"CREDIT_PATHWAYS_REQUEST_RATE": "1/day"},
    {"CREDIT_PATHWAYS_LINK_SCHEME": "http"},
    {"CREDIT_PATHWAYS_LEARNER_EMAILS": "all"},
    {"CREDIT_PATHWAYS_LEARNER_EMAILS": "none"},
    {"CREDIT_PATHWAYS_PUBLIC_RECORD_URL": "https://record.example.com/shared/{uuid}"},
    {"CREDIT_PATHWAYS_FROM_ADDRESS": "The Registry <registry@example.com>"},
]

SMTP = "django.core.mail.backends.smtp.EmailBackend"
#: Ids of the checks with ``--deploy``, and the settings.
DEPLOYMENTS = [
    (["W002"], {"EMAIL_BACKEND": SMTP, "EMAIL_TIMEOUT": None}),
    ([], {"EMAIL_BACKEND": SMTP, "EMAIL_TIMEOUT": 10}),
    ([], {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend", "EMAIL_TIMEOUT": None}),
    (["W002"], {"MAILERS": {"default": {"OPTIONS": {"host": "relay.example.com"}}}}),
    ([], {"MAILERS": {"default": {"OPTIONS": {"timeout": 10}}}}),
    ([], {"MAILERS": {}}),
    ([], {"MAILERS": {"other": {}}}),
    ([], {"MAILERS": {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}}),
]


def check_ids(*, deploy=False):
    messages = checks.run_checks(include_deployment_checks=deploy)
    return [message.id.split(".")[1] for message in messages if message.id.startswith("credit_pathways.")]


@pytest.mark.parametrize(("check_id", "values"), INVALID, ids=str)
def test_invalid_setting_is_reported(check_id, values, settings):
    for name, value in values.items():
        setattr(settings, name, value)
    assert check_ids() == [check_id]
    [message] = [message for message in checks.run_checks() if message.id == f"credit_pathways.{check_id}"]
    assert message.hint


@pytest.mark.parametrize("values", VALID, ids=str)
def test_valid_setting_is_not_reported(values, settings):
    for name, value in values.items():
        setattr(settings, name, value)
    assert check_ids() == []


def test_w003_celery_has_no_broker(settings):
    settings.CELERY_BROKER_URL = None
    assert check_ids() == []
    settings.CREDIT_PATHWAYS_DELIVERY = "celery"
    assert check_ids() == ["W003"]
    settings.CELERY_BROKER_WRITE_URL = "amqp://broker.example"
    assert check_ids() == []


def test_e007_messages_framework_is_not_installed(settings):
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "django.contrib.messages"]
    assert "E007" in check_ids()


def test_e011_time_zone_support_is_off(settings):
    settings.USE_TZ = False
    assert check_ids() == ["E011"]


@pytest.mark.parametrize(("ids", "values"), DEPLOYMENTS, ids=str)
def test_w002_deployment_has_no_smtp_timeout(ids, values, settings):
    for name, value in values.items():
        setattr(settings, name, value)
    assert check_ids() == []
    assert check_ids(deploy=True) == ids


@pytest.mark.django_db
def test_host_with_models_of_the_same_names_passes(settings, capsys):
    assert {"credentials.apps.records", "credit_pathways"} <= set(settings.INSTALLED_APPS)
    call_command("check", fail_level="WARNING", databases=["default"])
    assert "no issues" in capsys.readouterr().out
