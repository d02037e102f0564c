"""Credentials' records app. Its models have the same names as those of ``credit_pathways``."""

import uuid

from django.conf import settings
from django.db import models

from credentials.apps.catalog.models import CourseRun, Pathway, Program
from credentials.apps.core.models import TimeStampedModel


class UserGrade(TimeStampedModel):
    username = models.CharField(max_length=150)
    course_run = models.ForeignKey(CourseRun, on_delete=models.PROTECT)
    letter_grade = models.CharField(max_length=255, blank=True)
    percent_grade = models.DecimalField(max_digits=5, decimal_places=4)
    verified = models.BooleanField(default=True)

    class Meta:
        unique_together = ("username", "course_run")


class ProgramCertRecord(TimeStampedModel):
    program = models.ForeignKey(Program, on_delete=models.PROTECT)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    uuid = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)

    class Meta:
        unique_together = ("program", "user")


class UserCreditPathway(TimeStampedModel):
    """A request for credit; requesting again updates the row."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    pathway = models.ForeignKey(Pathway, on_delete=models.PROTECT)
    status = models.CharField(max_length=15, default="sent", blank=True)
    program = models.ForeignKey(Program, null=True, blank=True, on_delete=models.PROTECT)

    class Meta:
        unique_together = ("user", "pathway", "program")
