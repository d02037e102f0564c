"""
Credentials' URLs with the plug-in's before its own; the operator's ``ROOT_URLCONF`` names this to switch over.

Both are at ``records/``. Where Credentials comes first, the plug-in answers only what Credentials does not (ADR 0016).
"""

from credentials.urls import handler500
from credentials.urls import urlpatterns as of_credentials

__all__ = ["handler500", "urlpatterns"]

urlpatterns = sorted(of_credentials, key=lambda url: getattr(url, "namespace", None) != "credit_pathways")
