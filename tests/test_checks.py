"""System checks: each id, and that a correctly configured host has no messages."""

import sys
from functools import partial

import pytest
import redis
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sites.models import Site
from django.core import checks
from django.core.mail.backends.smtp import EmailBackend
from django.core.management import call_command

from credit_pathways.checks.services import check_cache_timeout
from credit_pathways.checks.settings import EMAIL_SUBJECT


class SourceWithoutLanguages:
    """A record source that is not a subclass of ours, and lacks one of its methods."""

    progress = programs = site_configuration = staticmethod(lambda *_arguments: None)


class HostsMessageMiddleware(MessageMiddleware):
    """Hosts may change Django's middleware."""


class HostsEmailBackend(EmailBackend):
    """Hosts may change Django's backend."""


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
    ("E004", {"CREDIT_PATHWAYS_LINK_ROOT": ["https"]}),
    ("E004", {"CREDIT_PATHWAYS_LINK_ROOT": "https://{host}"}),
    *(
        ("E004", {"CREDIT_PATHWAYS_LINK_ROOT": root})
        for root in (
            "https://",
            "https://{domain}?a=b",
            "https:// {domain}",
            "http:///x",
            "https://{domain}#x",
            "https://[",
        )
    ),
    ("E015", {"CREDIT_PATHWAYS_RECORDS_URL": "record.example.com"}),
    ("E015", {"CREDIT_PATHWAYS_RECORDS_URL": "https://"}),
    ("E001", {"CREDIT_PATHWAYS_RECORD_SOURCE": "credit_pathways.records.RecordSource"}),
    ("W006", {"USE_I18N": False, "CREDIT_PATHWAYS_EMAIL_LANGUAGE": "es"}),
    ("W009", {"ROOT_URLCONF": "django.contrib.auth.urls"}),
    ("E005", {"CREDIT_PATHWAYS_PUBLIC_RECORD_URL": 5}),
    ("E006", {"CREDIT_PATHWAYS_FROM_ADDRESS": 5}),
    ("W001", {"ACE_ENABLED_CHANNELS": None}),
    ("E004", {"CREDIT_PATHWAYS_LINK_ROOT": "javascript:"}),
    ("E005", {"CREDIT_PATHWAYS_PUBLIC_RECORD_URL": "https://record.example.com/"}),
    ("E005", {"CREDIT_PATHWAYS_PUBLIC_RECORD_URL": "record.example.com/{uuid}"}),
    ("E006", {"CREDIT_PATHWAYS_FROM_ADDRESS": "nobody"}),
    *(
        ("E006", {"CREDIT_PATHWAYS_FROM_ADDRESS": address})
        for address in ("edX: Credit <r@x.example>", "r@x.example,", "mailto:r@x.example", "Registry: r@x.example;")
    ),
    ("E004", {"CREDIT_PATHWAYS_LINK_ROOT": "https://{domain}:bad"}),
    ("E006", {"CREDIT_PATHWAYS_FROM_ADDRESS": "The\nRegistry <registry@example.com>"}),
    ("E003", {"CREDIT_PATHWAYS_REQUEST_RATE": b"15/minute"}),
    ("E006", {"CREDIT_PATHWAYS_FROM_ADDRESS": "a@example.com, b@example.com"}),
    ("E006", {"CREDIT_PATHWAYS_FROM_ADDRESS": "The Registry, Northfield <registry@example.com>"}),
    ("E014", {"MIDDLEWARE": ["django.middleware.common.CommonMiddleware", "nowhere.Middleware"]}),
    ("W006", {"CREDIT_PATHWAYS_EMAIL_LANGUAGE": "de"}),
    ("W006", {"LANGUAGE_CODE": "pt-br"}),
    ("W001", {"ACE_ENABLED_CHANNELS": []}),
    ("E009", {"CREDIT_PATHWAYS_CELERY_ATTEMPTS": 0}),
    ("E009", {"CREDIT_PATHWAYS_CELERY_ATTEMPTS": None}),
    ("E009", {"CREDIT_PATHWAYS_CELERY_TIME_LIMIT": 0}),
    ("E009", {"CREDIT_PATHWAYS_CELERY_TIME_LIMIT": [120]}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_ATTEMPTS": 0}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_ATTEMPTS": "3"}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_ATTEMPTS": True}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_BACKOFF": -1}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_TIME_LIMIT": None}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_ATTEMPTS": float("nan")}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_QUEUE": ""}),
    ("E009", {**CELERY, "CREDIT_PATHWAYS_CELERY_QUEUE": 5}),
    ("W001", {"ACE_CHANNEL_DEFAULT_EMAIL": None, "ACE_CHANNEL_TRANSACTIONAL_EMAIL": None}),
    ("W001", {"ACE_CHANNEL_TRANSACTIONAL_EMAIL": "braze_email"}),
    ("E012", {"CREDIT_PATHWAYS_LEARNER_EMAILS": "some"}),
    ("E012", {"CREDIT_PATHWAYS_LEARNER_EMAILS": "fail"}),
    ("E012", {"CREDIT_PATHWAYS_LEARNER_EMAILS": ["all"]}),
    ("E012", {"CREDIT_PATHWAYS_LEARNER_EMAILS": None}),
]

VALID = [
    CELERY,
    {**CELERY, "CREDIT_PATHWAYS_CELERY_ATTEMPTS": 1, "CREDIT_PATHWAYS_CELERY_BACKOFF": 0.5},
    {"CREDIT_PATHWAYS_CELERY_ATTEMPTS": 1, "CREDIT_PATHWAYS_CELERY_TIME_LIMIT": 1.5},
    {"CREDIT_PATHWAYS_CELERY_BACKOFF": "never read", "CREDIT_PATHWAYS_CELERY_QUEUE": None},
    {"CREDIT_PATHWAYS_REQUEST_RATE": None},
    {"CREDIT_PATHWAYS_REQUEST_RATE": "1/day"},
    {"CREDIT_PATHWAYS_LINK_ROOT": "http://{domain}/credentials"},
    {"CREDIT_PATHWAYS_LINK_ROOT": "https://credentials.example.com"},
    {"CREDIT_PATHWAYS_LINK_ROOT": "HTTP://credentials:18150"},
    {"CREDIT_PATHWAYS_RECORDS_URL": "", "CREDIT_PATHWAYS_PUBLIC_RECORD_URL": ""},
    {"CREDIT_PATHWAYS_PUBLIC_RECORD_URL": "https://record.example.com/#/shared/{uuid}"},
    {"CREDIT_PATHWAYS_RECORDS_URL": "https://record.example.com/#/"},
    {"ACE_CHANNEL_DEFAULT_EMAIL": "braze_email"},
    {"CREDIT_PATHWAYS_RECORDS_URL": "https://record.example.com/"},
    {"CREDIT_PATHWAYS_LEARNER_EMAILS": "all"},
    {"CREDIT_PATHWAYS_LEARNER_EMAILS": "none"},
    {"CREDIT_PATHWAYS_PUBLIC_RECORD_URL": "https://record.example.com/shared/{uuid}"},
    {"CREDIT_PATHWAYS_FROM_ADDRESS": "The Registry <registry@example.com>"},
    {"CREDIT_PATHWAYS_FROM_ADDRESS": '"The Registry, Northfield" <registry@example.com>'},
    *({"CREDIT_PATHWAYS_EMAIL_LANGUAGE": code} for code in ("zh-cn", "zh", "es", "es-mx", "en-gb", "ar", "fr_CA")),
    {"MIDDLEWARE": ["tests.test_checks.HostsMessageMiddleware"]},
]

SMTP = "django.core.mail.backends.smtp.EmailBackend"
CONSOLE = "django.core.mail.backends.console.EmailBackend"
REDIS, DJANGO_REDIS = "django.core.cache.backends.redis.RedisCache", "django_redis.cache.RedisCache"
MEMCACHED = "django.core.cache.backends.memcached.PyMemcacheCache"
UNLIMITED = {"BACKEND": REDIS, "LOCATION": "redis://cache.example", "OPTIONS": {"socket_timeout": None}}

#: Ids of the checks with ``--deploy``, and the settings.
DEPLOYMENTS = [
    (["W002"], {"EMAIL_BACKEND": SMTP, "EMAIL_TIMEOUT": None}),
    (["W002"], {**CELERY, "EMAIL_BACKEND": SMTP, "EMAIL_TIMEOUT": None}),
    (["W002"], {"EMAIL_BACKEND": SMTP, "EMAIL_TIMEOUT": 15.5}),
    (["W002"], {"EMAIL_BACKEND": "tests.test_checks.HostsEmailBackend", "EMAIL_TIMEOUT": None}),
    ([], {**CELERY, "EMAIL_BACKEND": SMTP, "EMAIL_TIMEOUT": 60}),
    ([], {"EMAIL_BACKEND": SMTP, "EMAIL_TIMEOUT": 15}),
    ([], {"EMAIL_BACKEND": SMTP, "EMAIL_TIMEOUT": "60"}),
    ([], {"EMAIL_BACKEND": CONSOLE, "EMAIL_TIMEOUT": None}),
    (["W002"], {"MAILERS": {"default": {"OPTIONS": {"host": "relay.example.com"}}}}),
    (["W002"], {"MAILERS": {"default": {"OPTIONS": {"timeout": 60}}}}),
    (["W002"], {"MAILERS": {"default": {"OPTIONS": None}}}),
    ([], {"MAILERS": {"default": {"OPTIONS": {"timeout": 10}}}}),
    ([], {"MAILERS": {}}),
    ([], {"MAILERS": {"other": {}}}),
    ([], {"MAILERS": {"default": {"BACKEND": CONSOLE}}}),
    (["W005"], {"CACHES": {"default": UNLIMITED}}),
    ([], {"CACHES": {"default": {**UNLIMITED, "OPTIONS": {"socket_timeout": 1}}}}),
]

#: Whether an older client of Redis waits indefinitely, and the default cache.
CACHES = [
    (True, {"BACKEND": REDIS, "LOCATION": "redis://cache.example/1"}),
    (True, {"BACKEND": REDIS, "LOCATION": ["redis://a.example", "redis://b.example"]}),
    (True, {"BACKEND": REDIS, "LOCATION": None, "OPTIONS": None}),
    (True, {"BACKEND": REDIS, "LOCATION": {}, "OPTIONS": ["socket_timeout"]}),
    (True, {"BACKEND": REDIS, "OPTIONS": {"socket_connect_timeout": 1, 5: 5}}),
    (True, {"BACKEND": REDIS, "LOCATION": "redis://cache.example?socket_connect_timeout=1"}),
    (False, {"BACKEND": REDIS, "OPTIONS": {"socket_timeout": 0.5}}),
    (False, {"BACKEND": REDIS, "LOCATION": "redis://cache.example?db=1&socket_timeout=0.5"}),
    (False, {"BACKEND": REDIS, "LOCATION": ["redis://cache.example?socket_timeout=0.5"]}),
    (True, {"BACKEND": DJANGO_REDIS, "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1, "CONNECTION_POOL_KWARGS": None}}),
    (False, {"BACKEND": DJANGO_REDIS, "OPTIONS": {"SOCKET_TIMEOUT": 1}}),
    (False, {"BACKEND": DJANGO_REDIS, "OPTIONS": {"CONNECTION_POOL_KWARGS": {"socket_timeout": 1}}}),
    (False, {"BACKEND": DJANGO_REDIS, "LOCATION": "redis://cache.example?socket_timeout=1"}),
    (True, {"BACKEND": MEMCACHED, "LOCATION": "cache.example:11211"}),
    (True, {"BACKEND": MEMCACHED, "OPTIONS": {"connect_timeout": 1}}),
    (False, {"BACKEND": MEMCACHED, "OPTIONS": {"connect_timeout": 1, "timeout": 1}}),
    (False, {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}),
    (False, {"BACKEND": [REDIS]}),
    (False, {}),
    (False, None),
]

#: Settings of Celery with which Redis redelivers a message that waits for its next attempt, or not. The longest pause
#: and the time limit are 1,020 seconds by default, and kombu's visibility timeout is an hour.
EARLY, LATE = {"visibility_timeout": 1019}, {"visibility_timeout": 1020}
BROKERS = [
    (["W004"], {"URL": "redis://broker.example", "TRANSPORT_OPTIONS": EARLY}),
    (["W004"], {"URL": "rediss://broker.example/1", "TRANSPORT_OPTIONS": EARLY}),
    (["W004"], {"URL": "redis+socket:///run/redis.sock", "TRANSPORT_OPTIONS": EARLY}),
    (["W004"], {"URL": "sentinel://a.example;sentinel://b.example", "TRANSPORT_OPTIONS": EARLY}),
    (["W004"], {"URL": ["redis://a.example", "redis://b.example"], "TRANSPORT_OPTIONS": EARLY}),
    (["W004"], {"WRITE_URL": "redis://broker.example", "TRANSPORT_OPTIONS": EARLY}),
    (["W004"], {"READ_URL": "redis://broker.example", "TRANSPORT_OPTIONS": EARLY}),
    (["W004"], {"URL": "redis://broker.example", "TRANSPORT_OPTIONS": {"visibility_timeout": "1020"}}),
    (["W004"], {"URL": "redis://broker.example", "TRANSPORT_OPTIONS": {"visibility_timeout": None}}),
    ([], {"URL": "redis://broker.example", "TRANSPORT_OPTIONS": LATE}),
    ([], {"URL": "redis://broker.example"}),
    ([], {"URL": "redis://broker.example", "TRANSPORT_OPTIONS": None}),
    ([], {"URL": "redis://broker.example", "TRANSPORT_OPTIONS": ["visibility_timeout"]}),
    ([], {"URL": "amqp://redis.example", "TRANSPORT_OPTIONS": EARLY}),
    ([], {"URL": 5, "TRANSPORT_OPTIONS": EARLY}),
]

#: The seconds that the visibility timeout must have, and the limits.
LONGEST = [
    (180, {"ATTEMPTS": 1}),
    (180, {"ATTEMPTS": 2}),
    (240, {"ATTEMPTS": 3}),
    (360, {"ATTEMPTS": 4}),
    (904, {"ATTEMPTS": 10**6, "TIME_LIMIT": 3.5}),
    (121, {"BACKOFF": 0.001}),
]


class Router:
    """Routes one app, or one model, to a second database."""

    def __init__(self, *labels):
        self.labels = labels

    def db_for_write(self, model, **_hints):
        return "second" if {model._meta.app_label, model._meta.label} & {*self.labels} else None


def check_ids(*, deploy=False, databases=None):
    messages = checks.run_checks(include_deployment_checks=deploy, databases=databases)
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


@pytest.mark.parametrize(("ids", "values"), BROKERS, ids=str)
def test_w004_redis_redelivers_messages_that_wait(ids, values, settings):
    for name, value in values.items():
        setattr(settings, f"CELERY_BROKER_{name}", value)
    assert check_ids() == []
    settings.CREDIT_PATHWAYS_DELIVERY = "celery"
    assert check_ids() == ids


@pytest.mark.parametrize(("seconds", "limits"), LONGEST, ids=str)
def test_w004_names_the_shortest_visibility_timeout(seconds, limits, settings):
    settings.CREDIT_PATHWAYS_DELIVERY, settings.CELERY_BROKER_URL = "celery", "redis://broker.example"
    for name, value in limits.items():
        setattr(settings, f"CREDIT_PATHWAYS_CELERY_{name}", value)
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": seconds - 1}
    [message] = [message for message in checks.run_checks() if message.id == "credit_pathways.W004"]
    assert message.hint.endswith(f"to at least {seconds}.")
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": seconds}
    assert check_ids() == []


def test_w004_is_silent_about_invalid_limits(settings):
    settings.CREDIT_PATHWAYS_DELIVERY, settings.CELERY_BROKER_URL = "celery", "redis://broker.example"
    settings.CREDIT_PATHWAYS_CELERY_BACKOFF = "60"
    assert check_ids() == ["E009"]


@pytest.mark.parametrize(
    ("labels", "places"),
    [
        (["credit_pathways"], "auth.User to 'default', credit_pathways.Program to 'second'"),
        (["sites"], "sites.Site to 'second', credit_pathways.Program to 'default'"),
        (["auth"], "credit_pathways.Program to 'default', auth.User to 'second'"),
        (["credit_pathways.Pathway"], "credit_pathways.Pathway to 'second'"),
    ],
    ids=str,
)
def test_e013_models_are_in_different_databases(labels, places, settings):
    settings.DATABASE_ROUTERS = [Router(*labels)]
    assert check_ids() == ["E013"]
    [message] = [message for message in checks.run_checks() if message.id == "credit_pathways.E013"]
    assert places in message.msg


@pytest.mark.parametrize("router", [Router("credit_pathways", "sites", "auth"), Router("admin"), object()])
def test_e013_models_are_in_the_same_database(router, settings):
    settings.DATABASE_ROUTERS = [router]
    assert check_ids() == []


@pytest.mark.parametrize(("ids", "values"), DEPLOYMENTS, ids=str)
def test_deployment(ids, values, settings):
    for name, value in values.items():
        setattr(settings, name, value)
    assert check_ids() == []
    assert check_ids(deploy=True) == ids


@pytest.mark.parametrize(("is_unlimited", "cache"), CACHES, ids=str)
def test_w005_cache_has_no_timeout(is_unlimited, cache, settings, monkeypatch):
    # Like redis-py before version 8.
    monkeypatch.setattr(redis, "Connection", partial(redis.Connection, socket_timeout=None))
    settings.CACHES = {"default": cache}
    assert [message.id for message in check_cache_timeout(None)] == ["credit_pathways.W005"] * is_unlimited


def test_w005_redis_has_a_default_timeout_or_is_not_installed(settings, monkeypatch):
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": "redis://cache.example"}}
    monkeypatch.setattr(redis, "Connection", partial(redis.Connection, socket_timeout=5))
    assert check_cache_timeout(None) == []
    monkeypatch.setitem(sys.modules, "redis", None)
    assert check_cache_timeout(None) != []


@pytest.mark.django_db
def test_host_with_models_of_the_same_names_passes(settings, capsys):
    assert {"credentials.apps.records", "credit_pathways"} <= set(settings.INSTALLED_APPS)
    call_command("check", fail_level="WARNING", databases=["default"])
    assert "no issues" in capsys.readouterr().out


def test_w006_a_host_can_add_a_catalog(settings, tmp_path):
    folder = tmp_path / "de/LC_MESSAGES"
    folder.mkdir(parents=True)
    catalog = Catalog("de")
    catalog.add(EMAIL_SUBJECT, "Antrag %(request_number)s von %(learner_name)s: %(program_title)s")
    with (folder / "django.mo").open("wb") as file:
        write_mo(file, catalog)
    settings.CREDIT_PATHWAYS_EMAIL_LANGUAGE, settings.LOCALE_PATHS = "de", [tmp_path]
    assert check_ids() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("domain", "ids"),
    [
        ("https://records.example.org", ["W007"]),
        ("records.example.org/", ["W007"]),
        ("records.example.org/credentials", ["W007"]),
        ("records example.org", ["W007"]),
        ("", ["W007"]),
        ("[", ["W007"]),
        ("records.example.org:port", ["W007"]),
        *(
            (domain, ["W007"])
            for domain in (".example.org", "records..example.org", f"{'x' * 64}.org", "*.example.org")
        ),
        *((domain, ["W007"]) for domain in ("example.org,", "<b>x", "example.org\u200b", "example.org:123456")),
        ("records.example.org", []),
        ("localhost:8000", []),
        ("[::1]:8000", []),
        ("bücher.example", []),
    ],
)
def test_w007_domain_of_a_site(domain, ids):
    Site.objects.update(domain=domain)
    assert check_ids() == []
    assert check_ids(databases=["default"]) == ids
    assert check_ids(databases=["second"]) == []


@pytest.mark.django_db
def test_domains_that_no_email_contains(settings):
    settings.CREDIT_PATHWAYS_LINK_ROOT = "https://credentials.example.org"
    Site.objects.update(domain="https://example.com")
    assert check_ids(databases=["default"]) == ["W007"]
    settings.CREDIT_PATHWAYS_FROM_ADDRESS = "registry@example.org"
    assert check_ids(databases=["default"], deploy=True) == []


@pytest.mark.django_db
@pytest.mark.parametrize("domain", ["example.com", "EXAMPLE.com:443"])
def test_w008_example_domain_in_production(domain):
    Site.objects.update(domain=domain)
    assert check_ids(databases=["default"]) == []
    assert check_ids(databases=["default"], deploy=True) == ["W008"]
    Site.objects.update(domain="records.example.org")
    assert check_ids(databases=["default"], deploy=True) == []


@pytest.mark.django_db
def test_w007_before_the_first_migration(monkeypatch):
    monkeypatch.setattr(Site._meta, "db_table", "missing")
    assert check_ids(databases=["default"], deploy=True) == []
