"""The settings of the test project, as far as they are not unusual, and those that are."""

from tests import settings as usual
from tests.settings import *  # noqa: F403

INSTALLED_APPS = [
    *(app for app in usual.INSTALLED_APPS if "credentials" not in app and app != "sortedm2m"),
    "tests.unusual",
]
AUTH_USER_MODEL = "unusual.User"
ROOT_URLCONF = "tests.unusual.urls"
CACHES = {"default": {"BACKEND": "tests.unusual.cache.UnavailableCache"}}

MIDDLEWARE = ["tests.unusual.middleware.remove_script_name", *usual.MIDDLEWARE]
MIDDLEWARE.insert(
    MIDDLEWARE.index("django.middleware.common.CommonMiddleware"), "django.middleware.locale.LocaleMiddleware"
)
FORCE_SCRIPT_NAME = "/credentials"
LOGIN_URL = "login"
APPEND_SLASH = False
CSRF_USE_SESSIONS = True

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "French"), ("ar", "Arabic")]
USE_THOUSAND_SEPARATOR = True

REST_FRAMEWORK = {
    **usual.REST_FRAMEWORK,
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",
    "ALLOWED_VERSIONS": ["v9"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 2,
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_THROTTLE_CLASSES": ["tests.unusual.rest_framework.AlwaysThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.BrowsableAPIRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FormParser"],
    "DEFAULT_FILTER_BACKENDS": ["rest_framework.filters.SearchFilter"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "tests.unusual.rest_framework.HtmlOnly",
    "EXCEPTION_HANDLER": "tests.unusual.rest_framework.handle_exception",
    "DATETIME_FORMAT": "%d.%m.%Y",
    "UNAUTHENTICATED_USER": None,
    "UNICODE_JSON": False,
    "COERCE_BIGINT_TO_STRING": True,
    "NON_FIELD_ERRORS_KEY": "errors",
}
