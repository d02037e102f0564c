"""The demo's own pages."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.generic import TemplateView

from .mailbox import parsed
from .models import Mail

SHOWN = ("From", "To", "Reply-To", "Subject", "Date", "Message-ID")


class MailsView(TemplateView):
    """The mails sent so far, newest first."""

    template_name = "demo/mails.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the mails with their headers and text."""
        mails = [(mail, parsed(mail)) for mail in Mail.objects.order_by("-pk")]
        return super().get_context_data(mails=[_shown(mail, source) for mail, source in mails], **kwargs)


def _shown(mail: Mail, source: Any) -> dict[str, Any]:
    headers = [(name, source[name]) for name in SHOWN if source[name]]
    return {"mail": mail, "headers": headers, "text": source.get_body(("plain",)).get_content()}


@xframe_options_sameorigin
def mail_html(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the HTML part alone, allowed to do nothing."""
    body = parsed(get_object_or_404(Mail, pk=pk)).get_body(("html",))
    html = body.get_content() if body else ""
    policy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'"
    return HttpResponse(f'<base target="_blank">{html}', headers={"Content-Security-Policy": policy})
