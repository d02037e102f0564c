"""Credentials' catalog."""

from django.contrib.sites.models import Site
from django.db import models
from sortedm2m.fields import SortedManyToManyField

from credentials.apps.core.models import TimeStampedModel


class Organization(TimeStampedModel):
    site = models.ForeignKey(Site, on_delete=models.CASCADE)
    uuid = models.UUIDField()
    key = models.CharField(max_length=255)
    name = models.CharField(max_length=255)

    class Meta:
        unique_together = (("site", "uuid"),)


class Course(TimeStampedModel):
    site = models.ForeignKey(Site, on_delete=models.CASCADE)
    uuid = models.UUIDField()
    key = models.CharField(max_length=255)
    title = models.CharField(max_length=255, default=None, null=True, blank=True)  # noqa: DJ001
    owners = SortedManyToManyField(Organization, blank=True, related_name="owned_courses")

    class Meta:
        unique_together = (("site", "uuid"),)


class CourseRun(TimeStampedModel):
    course = models.ForeignKey(Course, related_name="course_runs", on_delete=models.CASCADE)
    uuid = models.UUIDField()
    key = models.CharField(max_length=255)

    class Meta:
        unique_together = (("course", "uuid"),)


class Program(TimeStampedModel):
    site = models.ForeignKey(Site, on_delete=models.CASCADE)
    uuid = models.UUIDField()
    title = models.CharField(max_length=255)
    course_runs = SortedManyToManyField(CourseRun, related_name="programs")
    authoring_organizations = SortedManyToManyField(Organization, blank=True, related_name="authored_programs")
    type = models.CharField(max_length=32, default="")
    type_slug = models.CharField(max_length=32, default="")
    status = models.CharField(max_length=24, default="active")

    class Meta:
        unique_together = (("site", "uuid"),)


class Pathway(TimeStampedModel):
    pathway_type = models.CharField(max_length=32, default="credit")
    site = models.ForeignKey(Site, on_delete=models.CASCADE)
    uuid = models.UUIDField()
    name = models.CharField(max_length=255)
    org_name = models.CharField(max_length=255)
    email = models.EmailField()
    programs = SortedManyToManyField(Program, related_name="pathways")
    status = models.CharField(max_length=24, default="published")

    class Meta:
        unique_together = (("site", "uuid"),)
