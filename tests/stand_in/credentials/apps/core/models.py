"""Credentials' configuration of a site, and a base model."""

from django.contrib.sites.models import Site
from django.db import models


class SiteConfiguration(models.Model):
    site = models.OneToOneField(Site, on_delete=models.CASCADE)
    platform_name = models.CharField(max_length=255, null=True)  # noqa: DJ001
    partner_from_address = models.EmailField(blank=True, null=True)  # noqa: DJ001
    lms_url_root = models.URLField()
    catalog_api_url = models.URLField()
    records_enabled = models.BooleanField(default=True)
    records_help_url = models.URLField(blank=True, default="")


class TimeStampedModel(models.Model):
    """The columns of the model of this name in django-extensions."""

    created = models.DateTimeField(auto_now_add=True)
    modified = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
