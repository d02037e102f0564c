"""Delivery status notifications about an email, as mail servers write them (RFC 3464)."""

import base64
import copy
import quopri
from email import policy

from credit_pathways.delivery.message import TOKEN_HEADER

TEXT = ("Content-Type: text/plain; charset=us-ascii", b"The email could not be delivered.")

#: About the email, and about its only recipient.
PER_MESSAGE = "Reporting-MTA: dns; mx.northfield.example\nArrival-Date: Mon, 2 Nov 2026 09:59:58 +0100"
PER_RECIPIENT = """Final-Recipient: rfc822; registrar@northfield.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown"""


def status(*groups, kind="message/delivery-status"):
    """Return the part that programs read, with these groups of fields."""
    return (f"Content-Type: {kind}", "\n\n".join([PER_MESSAGE, *(groups or [PER_RECIPIENT])]).encode() + b"\n")


def original(mail, *, body=True, kind=None):
    """Return the part with the original, or with its headers only."""
    kind = kind or ("message/rfc822" if body else "text/rfc822-headers")
    source = mail.as_bytes(policy=policy.default)
    return (f"Content-Type: {kind}", source if body else source.partition(b"\n\n")[0] + b"\n")


def report(
    *parts, kind="multipart/report; report-type=delivery-status", headers="Subject: Mail delivery failed", date=True
):
    """Return an email of these parts, each a pair of headers and content."""
    if date:
        headers += "\nDate: Mon, 2 Nov 2026 10:00:00 +0100"
    lines = [
        f"From: MAILER-DAEMON@mx.northfield.example\nTo: no-reply@example.com\n{headers}".encode(),
        f'MIME-Version: 1.0\nContent-Type: {kind};\n\tboundary="=_report/1"\n'.encode(),
        b"This is a MIME-encapsulated message.\n",
    ]
    for part_headers, content in parts:
        lines += [b"--=_report/1", part_headers.encode(), b"", content]
    return b"\n".join([*lines, b"--=_report/1--", b""])


def with_token(mail, token):
    """Return the email with another token, or without one."""
    changed = copy.deepcopy(mail)
    del changed[TOKEN_HEADER]
    if token:
        changed[TOKEN_HEADER] = token
    return changed


def failed(**fields):
    """Return a recipient's fields, with some replaced."""
    fields = {
        "Final-Recipient": "rfc822; registrar@northfield.example",
        "Action": "failed",
        "Status": "5.1.1",
        **fields,
    }
    return "\n".join(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())


def encoded(part, encoding):
    headers, content = part
    content = base64.encodebytes(content) if encoding == "base64" else quopri.encodestring(content)
    return (f"{headers}\nContent-Transfer-Encoding: {encoding}", content)


def disposition_notification(mail):
    fields = b"Final-Recipient: rfc822; registrar@northfield.example\nDisposition: automatic-action/MDN-sent; deleted\n"
    parts = (TEXT, ("Content-Type: message/disposition-notification", fields), original(mail))
    return report(*parts, kind="multipart/report; report-type=disposition-notification")


def abuse_report(mail):
    fields = b"Feedback-Type: abuse\nUser-Agent: SomeGenerator/1.0\nVersion: 1\nAction: failed\nStatus: 5.7.1\n"
    parts = (TEXT, ("Content-Type: message/feedback-report", fields), original(mail))
    return report(*parts, kind="multipart/report; report-type=feedback-report")


def inner(source):
    """Return the part with another report."""
    return ("Content-Type: message/rfc822", source.replace(b"=_report/1", b"=_inner"))


def postfix(mail, *, body=True):
    notice = b"""This is the mail system at host relay.example.com.

<registrar@northfield.example>: host mx.northfield.example[192.0.2.7] said: 550
    5.1.1 <registrar@northfield.example>: Recipient address rejected (in reply to RCPT TO command)
"""
    fields = b"""Reporting-MTA: dns; relay.example.com
X-Postfix-Queue-ID: 4CXKSw1zdgz22xZY
X-Postfix-Sender: rfc822; no-reply@example.com
Arrival-Date: Mon,  2 Nov 2026 09:59:58 +0100 (CET)

Final-Recipient: rfc822; registrar@northfield.example
Original-Recipient: rfc822;registrar@northfield.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.northfield.example
Diagnostic-Code: smtp; 550 5.1.1 <registrar@northfield.example>: Recipient
    address rejected: User unknown in virtual mailbox table
"""
    kind, content = original(mail, body=body)
    return report(
        ("Content-Description: Notification\nContent-Type: text/plain; charset=us-ascii", notice),
        ("Content-Description: Delivery report\nContent-Type: message/delivery-status", fields),
        (f"Content-Description: Undelivered Message{'' if body else ' Headers'}\n{kind}", content),
        headers="Auto-Submitted: auto-replied\nSubject: Undelivered Mail Returned to Sender",
    )


def exim(mail, *, body=True):
    notice = b"""This message was created automatically by mail delivery software.

  registrar@northfield.example
    host mx.northfield.example [192.0.2.7]
    SMTP error from remote mail server after RCPT TO:<registrar@northfield.example>: 550 No such person
"""
    fields = b"""Reporting-MTA: dns; relay.example.com

Action: failed
Final-Recipient: rfc822;registrar@northfield.example
Status: 5.0.0
Remote-MTA: dns; mx.northfield.example
Diagnostic-Code: smtp; 550 No such person
"""
    kind, content = original(mail, body=body)
    return report(
        ("Content-type: text/plain; charset=us-ascii", notice),
        ("Content-type: message/delivery-status", fields),
        (kind.replace("-T", "-t"), b"Return-path: <no-reply@example.com>\n" + content),
        headers="X-Failed-Recipients: registrar@northfield.example\nAuto-Submitted: auto-replied",
    )


def exchange(mail, *, body=True):
    """On-premises: two versions of the text, and no space after the types of fields."""
    fields = b"""Reporting-MTA: dns;MBX01.northfield.example
Received-From-MTA: dns;edge.northfield.example
Arrival-Date: Mon, 2 Nov 2026 08:59:59 +0000

Final-Recipient: rfc822;registrar@northfield.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp;550 5.1.1 RESOLVER.ADR.RecipNotFound; not found
X-Display-Name: Registrar

"""
    return report(
        _alternatives("us-ascii", b"Delivery has failed to these recipients or groups:\n"),
        ("Content-Type: message/delivery-status", fields),
        original(mail, body=body),
        headers="Content-Language: en-US\nX-MS-Exchange-Message-Is-Ndr:\nSubject: Undeliverable: Credit request",
    )


def microsoft_365(mail, *, body=True):
    """Exchange Online, whose text quotes the original's headers, also in Windows-1252 and quoted-printable."""
    quoted = mail.as_bytes().partition(b"\n\n")[0].replace(b"=", b"=3D")
    notice = b"The email address wasn=92t found at the destination domain.\n\nOriginal message headers:\n\n" + quoted
    fields = b"""Reporting-MTA: dns;AM0PR00MB0001.eurprd00.prod.outlook.com
Received-From-MTA: dns;relay.example.com
Arrival-Date: Mon, 2 Nov 2026 08:59:59 +0000

Final-Recipient: rfc822;registrar@northfield.example
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup


"""
    kind, content = original(mail, body=body)
    received = b"Received: from relay.example.com (192.0.2.8) by\n AM0EUR00FT001.mail.protection.outlook.com\n"
    return report(
        _alternatives("Windows-1252", notice),
        ("Content-Type: message/delivery-status", fields),
        (kind, received + content),
        headers="Content-Language: en-US\nX-MS-Exchange-Message-Is-Ndr:\nAuto-Submitted: auto-replied",
    )


def _alternatives(charset, notice):
    headers = f'Content-Type: text/%s; charset="{charset}"\nContent-Transfer-Encoding: quoted-printable\n\n'
    texts = [(headers % kind).encode() + notice for kind in ("plain", "html")]
    content = b"".join(b"--=_texts\n" + text + b"\n" for text in texts) + b"--=_texts--\n"
    return ('Content-Type: multipart/alternative; differences=Content-Type;\n\tboundary="=_texts"', content)


def amazon_ses(mail, *, body=True):
    """Email feedback forwarding. SES replaces Message-ID and Date, and puts Action first and Status last."""
    sent = copy.deepcopy(mail)
    del sent["Message-ID"], sent["Date"]
    sent["Message-ID"] = "<010001770cc8cfa3-793a9c12-1945-4a17-a44a-4191cf0c1a2b-000000@email.amazonses.com>"
    sent["Date"] = "Mon, 2 Nov 2026 08:59:58 +0000"
    sent["Feedback-ID"] = "1.us-east-1.D1mWDvwUtiZJdKFArGKkGBe9wfRCdAX2ofq5lyeEo20=:AmazonSES"
    notice = (
        b"An error occurred while trying to deliver the mail to the following recipients:\nregistrar@northfield.example"
    )
    fields = b"""Reporting-MTA: dsn; a8-61.smtp-out.amazonses.com

Action: failed
Final-Recipient: rfc822; registrar@northfield.example
Diagnostic-Code: smtp; 550 5.1.1 user unknown
Status: 5.1.1


"""
    return report(
        ("Content-Type: text/plain; charset=us-ascii\nContent-Description: Notification", notice),
        ("Content-Type: message/delivery-status\nContent-Transfer-Encoding: 7bit", fields),
        original(sent, body=body),
        headers="Subject: Delivery Status Notification (Failure)\nX-SES-Outgoing: 2026.11.02-54.240.14.86",
    )


def opensmtpd(mail, *, body=True):
    """Reports that are called multipart/mixed."""
    return report(TEXT, status(), original(mail, body=body), kind="multipart/mixed")


#: Each mail server's function, and the reason that its report states.
FORMATS = {
    postfix: "5.1.1 smtp; 550 5.1.1 <registrar@northfield.example>: Recipient address rejected: "
    "User unknown in virtual mailbox table",
    exim: "5.0.0 smtp; 550 No such person",
    exchange: "5.1.1 smtp;550 5.1.1 RESOLVER.ADR.RecipNotFound; not found",
    microsoft_365: "5.1.10 smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
    amazon_ses: "5.1.1 smtp; 550 5.1.1 user unknown",
    opensmtpd: "5.1.1 smtp; 550 5.1.1 User unknown",
}
