"""The demo's URLs. The app is mounted at ``records/``."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView
from drf_spectacular.views import SpectacularAPIView

from . import views

urlpatterns = [
    path("", TemplateView.as_view(template_name="demo/home.html"), name="home"),
    path("records/", include("credit_pathways.urls")),
    path("i18n/setlang/", views.choose_language, name="set_language"),
    path("accounts/", include("django.contrib.auth.urls")),
    path("admin/", admin.site.urls),
    path("mails/", views.MailsView.as_view(), name="mails"),
    path("mails/<int:pk>/html", views.mail_html, name="mail_html"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
]
