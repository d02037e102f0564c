"""Each setting has its default, and is read when it is used."""

import pytest
from django.contrib.sites.models import Site

from credit_pathways import conf
from credit_pathways.models import Program
from credit_pathways.records import ProgramRecord

SITE = Site(domain="example.com:8000", name="Example")


def site_configuration():
    return ProgramRecord(user=None, program=Program(site=SITE), progress=None, shared_record=None).site_configuration


#: Name, function that reads it, default, another value.
SETTINGS = [
    ("RECORD_SOURCE", conf.record_source, "credit_pathways.records.CatalogRecordSource", "host.Source"),
    ("DELIVERY", conf.delivery, "inline", "celery"),
    ("REQUEST_RATE", conf.request_rate, "15/minute", None),
    ("PLATFORM_NAME", lambda: site_configuration().platform_name, "Example", "Example Online"),
    ("FROM_ADDRESS", lambda: site_configuration().from_address, "no-reply@example.com", "registry@example.com"),
    ("EMAIL_LANGUAGE", conf.email_language, "en-us", "fr"),
    ("LINK_ROOT", conf.link_root, "https://{domain}", "http://{domain}/path"),
    ("LEARNER_EMAILS", conf.learner_emails, "failures", "all"),
    ("RECORDS_URL", conf.records_url, None, "https://record.example.com/"),
    ("PUBLIC_RECORD_URL", conf.public_record_url, None, "https://record.example.com/shared/{uuid}"),
]


@pytest.mark.parametrize(("name", "read", "default", "other"), SETTINGS, ids=[row[0] for row in SETTINGS])
def test_setting(name, read, default, other, settings):
    setattr(settings, f"CREDIT_PATHWAYS_{name}", other)
    assert read() == other
    delattr(settings, f"CREDIT_PATHWAYS_{name}")
    assert read() == default
