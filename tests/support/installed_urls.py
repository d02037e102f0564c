"""The URLs of ``installed_settings``."""

from django.urls import include, path

urlpatterns = [path("records/", include("credit_pathways.urls"))]
