"""Factories for Credentials' catalog, and functions that create grades and certificates."""

import uuid
from datetime import UTC, datetime

import factory
from credentials.apps.catalog import models as catalog
from credentials.apps.core.models import SiteConfiguration
from credentials.apps.credentials import models as credentials
from credentials.apps.records import models as records
from django.contrib.contenttypes.models import ContentType
from django.contrib.sites.models import Site
from factory.django import DjangoModelFactory

#: The default date of certificates and grades.
ISSUED = datetime(2026, 3, 1, tzinfo=UTC)


class SiteFactory(DjangoModelFactory):
    class Meta:
        model = Site

    domain = factory.Sequence("credentials{}.example".format)
    name = factory.Sequence("Site {}".format)


class SiteRowFactory(DjangoModelFactory):
    """A row with a uuid, by default of the current site."""

    class Meta:
        abstract = True

    site = factory.LazyFunction(Site.objects.get_current)
    uuid = factory.LazyFunction(uuid.uuid4)


def configure(site=None, **values):
    """Set values in the configuration of a site, by default the current one."""
    configuration = {
        "platform_name": "Open Example",
        "partner_from_address": "partners@open.example",
        "lms_url_root": "https://lms.open.example",
        "catalog_api_url": "https://discovery.open.example/api/v1/",
        "records_help_url": "https://help.open.example/records",
        "records_enabled": True,
        **values,
    }
    SiteConfiguration.objects.update_or_create(site=site or Site.objects.get_current(), defaults=configuration)
    # The current site is cached in the process, together with its configuration.
    Site.objects.clear_cache()


class OrganizationFactory(SiteRowFactory):
    class Meta:
        model = catalog.Organization

    key = factory.Sequence("Org{}".format)
    name = factory.Sequence("Organization {}".format)


class CourseFactory(SiteRowFactory):
    class Meta:
        model = catalog.Course

    key = factory.Sequence("Org+C{}".format)
    title = factory.Sequence("Course {}".format)


class CourseRunFactory(DjangoModelFactory):
    class Meta:
        model = catalog.CourseRun

    course = factory.SubFactory(CourseFactory)
    uuid = factory.LazyFunction(uuid.uuid4)
    key = factory.Sequence("course-v1:Org+C+{}".format)


class ProgramFactory(SiteRowFactory):
    """A program with course runs and organizations, in the given order."""

    class Meta:
        model = catalog.Program
        skip_postgeneration_save = True

    title = factory.Sequence("Program {}".format)
    type = "MicroMasters"
    type_slug = "micromasters"

    @factory.post_generation
    def course_runs(self, create, extracted):
        self.course_runs.add(*extracted or [])

    @factory.post_generation
    def authoring_organizations(self, create, extracted):
        self.authoring_organizations.add(*extracted or [])


class PathwayFactory(SiteRowFactory):
    """A credit pathway for some programs."""

    class Meta:
        model = catalog.Pathway
        skip_postgeneration_save = True

    name = factory.Sequence("Pathway {}".format)
    org_name = factory.Sequence("University {}".format)
    email = factory.Sequence("registrar{}@university.example".format)

    @factory.post_generation
    def programs(self, create, extracted):
        self.programs.add(*extracted or [])


def _award(configuration, username, status, created):
    credential = credentials.UserCredential.objects.create(
        username=username,
        status=status,
        credential_content_type=ContentType.objects.get_for_model(configuration),
        credential_id=configuration.pk,
    )
    # Both are set automatically when a row is created.
    credentials.UserCredential.objects.filter(pk=credential.pk).update(created=created, modified=created)
    return credential


def certify(run, username, *, status="awarded", created=ISSUED, available=None):
    """Award the learner a certificate of the course run."""
    configuration, _created = credentials.CourseCertificate.objects.get_or_create(
        course_run=run,
        defaults={
            "site": run.course.site,
            "course_id": run.key,
            "certificate_type": "verified",
            "is_active": True,
            "certificate_available_date": available,
        },
    )
    return _award(configuration, username, status, created)


def certify_program(program, username, *, status="awarded", created=ISSUED):
    """Award the learner the certificate of the program."""
    configuration, _created = credentials.ProgramCertificate.objects.get_or_create(
        program=program, defaults={"site": program.site, "program_uuid": program.uuid, "is_active": True}
    )
    return _award(configuration, username, status, created)


def grade(run, username, percent, letter="", *, verified=True, modified=ISSUED):
    row = records.UserGrade.objects.create(
        course_run=run, username=username, percent_grade=percent, letter_grade=letter, verified=verified
    )
    records.UserGrade.objects.filter(pk=row.pk).update(created=modified, modified=modified)
    return row


def override_date(credential, date):
    """Override the date of a certificate, as staff can in the LMS."""
    credentials.UserCredentialDateOverride.objects.create(user_credential=credential, date=date)


def earn(run, username, percent=0.9, letter="A"):
    """Award the learner a grade and a certificate."""
    grade(run, username, percent, letter)
    return certify(run, username)
