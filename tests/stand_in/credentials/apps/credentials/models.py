"""Certificates."""

import uuid

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.contrib.sites.models import Site
from django.db import models

from credentials.apps.catalog.models import CourseRun, Program
from credentials.apps.core.models import TimeStampedModel


class UserCredential(TimeStampedModel):
    """A learner's certificate."""

    AWARDED, REVOKED = "awarded", "revoked"

    credential_content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    credential_id = models.PositiveIntegerField(db_index=True)
    credential = GenericForeignKey("credential_content_type", "credential_id")
    username = models.CharField(max_length=255, db_index=True)
    status = models.CharField(max_length=255, default=AWARDED)
    uuid = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)

    class Meta:
        unique_together = (("username", "credential_content_type", "credential_id"),)


class CourseCertificate(TimeStampedModel):
    """The certificate of a course run."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE)
    is_active = models.BooleanField(default=False)
    course_id = models.CharField(max_length=255)
    course_run = models.OneToOneField(CourseRun, null=True, on_delete=models.PROTECT)
    certificate_available_date = models.DateTimeField(null=True, blank=True)
    certificate_type = models.CharField(max_length=255)
    user_credentials = GenericRelation(
        UserCredential,
        content_type_field="credential_content_type",
        object_id_field="credential_id",
        related_query_name="course_credentials",
    )


class ProgramCertificate(TimeStampedModel):
    """The certificate of a program."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE)
    is_active = models.BooleanField(default=False)
    program_uuid = models.UUIDField(db_index=True)
    program = models.OneToOneField(Program, null=True, on_delete=models.PROTECT)
    user_credentials = GenericRelation(
        UserCredential,
        content_type_field="credential_content_type",
        object_id_field="credential_id",
        related_query_name="program_credentials",
    )

    class Meta:
        unique_together = (("site", "program_uuid"),)


class UserCredentialDateOverride(TimeStampedModel):
    """A date that staff have set for a certificate."""

    user_credential = models.OneToOneField(UserCredential, on_delete=models.CASCADE, related_name="date_override")
    date = models.DateTimeField()
