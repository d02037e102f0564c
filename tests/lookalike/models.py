"""The host's own models of the same names."""

from django.conf import settings
from django.contrib.sites.models import Site
from django.db import models


class Program(models.Model):
    """
    The host's program.

    .. no_pii:
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE)


class Pathway(models.Model):
    """
    The host's pathway.

    .. no_pii:
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE)
    programs = models.ManyToManyField(Program, related_name="pathways")


class ProgramCertRecord(models.Model):
    """
    The host's shared program record.

    .. no_pii:
    """

    program = models.ForeignKey(Program, on_delete=models.PROTECT)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)


class UserCreditPathway(models.Model):
    """
    The host's credit request.

    .. no_pii:
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    pathway = models.ForeignKey(Pathway, on_delete=models.PROTECT)
    program = models.ForeignKey(Program, null=True, on_delete=models.PROTECT)
