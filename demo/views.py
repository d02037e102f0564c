"""The demo's own pages."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import check_for_language
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.generic import TemplateView
from django.views.i18n import set_language

from credit_pathways.delivery.message import TOKEN_HEADER

from .mailbox import parse
from .models import Mail, User

SHOWN_HEADERS = ("From", "To", "Reply-To", "Subject", "Date", "Message-ID", TOKEN_HEADER)


def choose_language(request: HttpRequest) -> HttpResponse:
    """Do what Django's view does, and save the language of a user who is logged in, for emails."""
    language = request.POST.get("language", "")
    if check_for_language(language):
        User.objects.filter(username=request.user.get_username()).update(language=language)
    return set_language(request)


class MailsView(TemplateView):
    """The emails sent so far, newest first."""

    template_name = "demo/mails.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(mails=[_context(mail) for mail in Mail.objects.order_by("-pk")], **kwargs)


def _context(mail: Mail) -> dict[str, Any]:
    email: Any = parse(mail)
    headers = [(name, email[name]) for name in SHOWN_HEADERS if email[name]]
    return {"mail": mail, "headers": headers, "text": email.get_body(("plain",)).get_content()}


@xframe_options_sameorigin
def mail_html(request: HttpRequest, pk: int) -> HttpResponse:
    """Show only the HTML part, in a sandbox."""
    body = parse(get_object_or_404(Mail, pk=pk)).get_body(("html",))
    html = body.get_content() if body else ""
    policy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'"
    return HttpResponse(f'<base target="_blank">{html}', headers={"Content-Security-Policy": policy})
