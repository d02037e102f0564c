"""Credentials' URLs, followed by those of its plug-ins."""

from django.contrib import admin
from django.urls import include, path
from django.views.defaults import server_error
from edx_django_utils.plugins import get_plugin_url_patterns

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("django.contrib.auth.urls")),
    path("records/", include(("credentials.apps.records.urls", "records"), namespace="records")),
]

handler500 = server_error

urlpatterns.extend(get_plugin_url_patterns("credentials.djangoapp"))
