"""Each setting: its default, and that it is read when it is used."""

import pytest
from django.contrib.sites.models import Site

from credit_pathways import conf

SITE = Site(domain="credentials.example.com:8000", name="Example")

#: Setting, how it is read, its default, another value.
SETTINGS = [
    ("RECORD_SOURCE", conf.record_source, "credit_pathways.records.CatalogRecordSource", "host.Source"),
    ("DELIVERY", conf.delivery, "inline", "celery"),
    ("REQUEST_RATE", conf.request_rate, "15/minute", None),
    ("PLATFORM_NAME", lambda: conf.platform_name(SITE), "Example", "Example Online"),
    ("FROM_ADDRESS", lambda: conf.from_address(SITE), "no-reply@credentials.example.com", "registry@example.com"),
    ("EMAIL_LANGUAGE", conf.email_language, "en-us", "fr"),
    ("LINK_SCHEME", conf.link_scheme, "https", "http"),
    ("PUBLIC_RECORD_URL", conf.public_record_url, None, "https://record.example.com/shared/{uuid}"),
]


@pytest.mark.parametrize(("name", "read", "default", "other"), SETTINGS, ids=[row[0] for row in SETTINGS])
def test_setting(name, read, default, other, settings):
    setattr(settings, f"CREDIT_PATHWAYS_{name}", other)
    assert read() == other
    delattr(settings, f"CREDIT_PATHWAYS_{name}")
    assert read() == default
