"""A factory for each model."""

import uuid

import factory
from django.contrib.auth import get_user_model
from django.contrib.sites.models import Site
from factory.django import DjangoModelFactory

from credit_pathways import models

#: Users of ``tests.unusual`` have a single field for their name, and no email address.
IS_UNUSUAL = not hasattr(get_user_model(), "first_name")


def name_fields(name):
    """Return the fields of a user whose full name is ``name``."""
    return {"full_name": name} if IS_UNUSUAL else {"first_name": name, "last_name": ""}


class UserFactory(DjangoModelFactory):
    """A learner."""

    class Meta:
        model = get_user_model()

    username = factory.Sequence("learner{}".format)
    email = factory.LazyAttribute(lambda user: f"{user.username}@learners.example")
    first_name = "Halima"
    last_name = factory.Sequence("Okafor {}".format)

    @classmethod
    def _adjust_kwargs(cls, **kwargs):
        if IS_UNUSUAL:
            kwargs["full_name"] = f"{kwargs.pop('first_name')} {kwargs.pop('last_name')}"
            del kwargs["email"]
        return kwargs


class SiteFactory(DjangoModelFactory):
    """A site other than the default one."""

    class Meta:
        model = Site

    domain = factory.Sequence("site{}.example".format)
    name = factory.Sequence("Site {}".format)


class ProgramFactory(DjangoModelFactory):
    """An active program on the default site."""

    class Meta:
        model = models.Program

    site = factory.LazyFunction(Site.objects.get_current)
    uuid = factory.LazyFunction(uuid.uuid4)
    title = factory.Sequence("Program {}".format)
    type = "MicroMasters"
    school = "Northfield University"


class PathwayFactory(DjangoModelFactory):
    """A pathway that is requestable for its ``programs``."""

    class Meta:
        model = models.Pathway
        skip_postgeneration_save = True

    site = factory.LazyFunction(Site.objects.get_current)
    uuid = factory.LazyFunction(uuid.uuid4)
    name = factory.Sequence("Pathway {}".format)
    org_name = factory.Sequence("Institution {}".format)
    email = factory.Sequence("registrar{}@institutions.example".format)

    @factory.post_generation
    def programs(self, create, extracted):
        self.programs.set(extracted or [])


class ProgramCertRecordFactory(DjangoModelFactory):
    """A shared program record."""

    class Meta:
        model = models.ProgramCertRecord

    program = factory.SubFactory(ProgramFactory)
    user = factory.SubFactory(UserFactory)


class UserCreditPathwayFactory(DjangoModelFactory):
    """A pending credit request through a requestable pathway."""

    class Meta:
        model = models.UserCreditPathway

    user = factory.SubFactory(UserFactory)
    program = factory.SubFactory(ProgramFactory)
    pathway = factory.LazyAttribute(
        lambda request: PathwayFactory(programs=[request.program] if request.program else [])
    )
