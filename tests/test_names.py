"""A name that shows nothing counts as missing, and the email, the page, the record and its CSV show the same name."""

import csv
from io import StringIO

import pytest
from django.test import Client
from django.urls import reverse

from credit_pathways import api
from credit_pathways.models import ProgramCertRecord
from credit_pathways.records import site_configuration
from credit_pathways.sanitize import is_invisible
from tests import factories
from tests.support.html import Page, parse

pytestmark = pytest.mark.django_db(transaction=True)

INVISIBLE = [
    "",
    " ",
    "\u200b",
    "\u3164",
    "\u2800",
    "\u115f\u1160\uffa0",
    "\u200e\u200f\u2060\ufeff",
    "\u034f",
    "\u00ad\t",
    "\uffff",
]


@pytest.mark.parametrize("text", INVISIBLE, ids=ascii)
def test_invisible(text):
    assert is_invisible(text)
    assert not is_invisible(f"{text}é{text}")


@pytest.mark.parametrize("text", ["x", "漢", "خ", "한", "👩", "-", "\u0301e", "1"], ids=ascii)
def test_visible(text):
    assert not is_invisible(text)


@pytest.fixture
def names(client, learner, program, pathway, relay):
    """Return a function that returns the learner's name in each place where an institution or the learner sees it."""

    def read(name):
        vars(learner).update(factories.name_fields(name))
        learner.save()
        [row] = api.request_credit(user=learner, program=program, pathways=[pathway])
        shared = ProgramCertRecord.objects.get()
        email, visitor = relay.messages[-1], Client()

        def path(name, *args):
            return reverse(f"credit_pathways:{name}", args=args)

        def in_json(browser, uuid, **query):
            return browser.get(path("api-records-detail", uuid), query).json()["record"]["learner"]["full_name"]

        table = visitor.get(path("public_record_csv", shared.uuid)).content.decode("utf-8-sig")
        receipt = parse(client.get(path("credit_request", row.pk))).text
        return {
            "subject": email["Subject"].split(" from ")[1].removesuffix(": Statistics"),
            "text": email.get_body(("plain",)).get_content().split(" requests credit")[0],
            "html": Page(email.get_body(("html",)).get_content()).text.split(" requests credit")[0],
            "own page": _strong(client.get(path("program_record", program.uuid))),
            "preview": parse(client.get(path("program_record", program.uuid))).text.split("your name: ")[1].split()[0],
            "public page": _strong(visitor.get(path("public_record", shared.uuid))),
            "receipt": receipt.split("Learner ")[1].split(" ")[0],
            "csv": next(csv.reader(StringIO(table)))[1],
            "own json": in_json(client, program.uuid),
            "public json": in_json(visitor, shared.uuid, is_public="true"),
        }

    return read


def _strong(response):
    page = parse(response)
    return page.text_of(page.find_all("strong", inside=page.find_all("header", css_class="cp-head")[0])[0])


@pytest.mark.parametrize("first_name", INVISIBLE, ids=ascii)
def test_a_learner_without_a_visible_name_is_named_by_username(names, first_name):
    assert set(names(first_name).values()) == {"halima"}


def test_a_learner_with_a_name(names):
    assert set(names("Halima\u200b").values()) == {"Halima\u200b"}


def test_an_email_address_as_the_username_is_not_shown(names, learner):
    learner.username = "halima@home.example"
    read = names("")
    assert (read.pop("own json"), read.pop("public json")) == ("", "")
    assert {name.split()[0] for name in read.values()} == {"name"}  # "name not given"


def test_a_platform_without_a_visible_name_is_named_by_its_domain(settings):
    site = factories.SiteFactory(name="\u3164", domain="open.example")
    settings.CREDIT_PATHWAYS_PLATFORM_NAME = "\u200b"
    assert site_configuration(site).platform_name == "open.example"
