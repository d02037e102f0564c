"""Every path begins with a language, and there are two admin sites."""

from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.urls import include, path

from tests.unusual.models import User

admin.site.register(User)

office = admin.AdminSite(name="office")
for model, model_admin in admin.site._registry.items():
    office.register(model, type(model_admin))

urlpatterns = i18n_patterns(
    path("office/", office.urls),
    path("records/", include("credit_pathways.urls")),
    path("accounts/", include("django.contrib.auth.urls")),
    path("admin/", admin.site.urls),
)
