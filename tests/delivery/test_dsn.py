"""Reading delivery status notifications, however mail servers, transport or attackers wrote them."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from django.core.signing import Signer

from credit_pathways.delivery.dsn import NotABounce, Report, read_report
from credit_pathways.delivery.message import TOKEN_HEADER
from tests.support import reports
from tests.support.reports import FORMATS, TEXT, encoded, failed, inner, original, report, status, with_token

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("body", [True, False])
@pytest.mark.parametrize("build", FORMATS)
def test_formats(build, body, mail):
    source = build(mail, body=body)
    assert (b"Request number: 4711" in source) is body
    at = datetime(2026, 11, 2, 9, tzinfo=UTC)
    expected = Report(request_id=4711, reason=FORMATS[build], at=at)
    assert read_report(source) == expected
    assert read_report(source.replace(b"\n", b"\r\n")) == expected


def test_amazon_ses_replaces_the_message_id(mail):
    assert mail["Message-ID"].encode() not in reports.amazon_ses(mail)


def test_a_report_does_not_show_its_reason(mail):
    shown = repr(read_report(reports.postfix(mail)))
    assert "4711" in shown
    assert "northfield" not in shown


@pytest.mark.parametrize(
    "notice",
    [
        ("Content-Type: text/plain; charset=iso-8859-1", "Die Nachricht an Übungsbüro konnte nicht zugestellt werden."),
        ("Content-Type: text/plain; charset=utf-8", "メールを配信できませんでした。"),
        ("Content-Type: text/plain; charset=iso-2022-jp", "メールを配信できませんでした。"),
        ("Content-Type: text/plain; charset=unknown", "?"),
    ],
)
@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
def test_notices_in_any_charset(notice, encoding, mail):
    headers, text = notice
    charset = headers.partition("charset=")[2].replace("unknown", "ascii")
    part = (headers, text.encode(charset))
    source = report(part if encoding == "8bit" else encoded(part, encoding), status(), original(mail))
    assert read_report(source).request_id == 4711


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
@pytest.mark.parametrize("body", [True, False])
def test_encoded_parts(encoding, body, mail):
    source = report(TEXT, encoded(status(), encoding), encoded(original(mail, body=body), encoding))
    assert read_report(source) == read_report(report(TEXT, status(), original(mail)))


@pytest.mark.parametrize(
    "kind", ["message/delivery-status", "Message/Delivery-Status", "message/global-delivery-status"]
)
@pytest.mark.parametrize(
    "original_kind",
    ["Message/RFC822", "text/rfc822-headers", "message/rfc822-headers", "message/global", "message/global-headers"],
)
def test_types_of_parts(kind, original_kind, mail):
    source = report(TEXT, status(kind=kind), original(mail, kind=original_kind))
    assert read_report(source).request_id == 4711


@pytest.mark.parametrize(
    "kind", ["multipart/report", "Multipart/Report; Report-Type=Delivery-Status", "multipart/mixed"]
)
def test_types_of_reports(kind, mail):
    assert read_report(report(TEXT, status(), original(mail), kind=kind)).request_id == 4711


def test_a_line_that_begins_like_the_end_is_not_the_end(mail):
    notice = (TEXT[0], b"--=_report/1-- is a line of the notice.")
    assert read_report(report(notice, status(), original(mail))).request_id == 4711


def test_parts_after_the_twentieth_are_not_read(mail):
    assert read_report(report(*[TEXT] * 18, status(), original(mail))).request_id == 4711
    with pytest.raises(NotABounce):
        read_report(report(*[TEXT] * 20, status(), original(mail)))


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "8bit"])
def test_the_encoding_of_a_report_is_ignored(encoding, mail):
    source = report(TEXT, status(), original(mail), headers=f"Content-Transfer-Encoding: {encoding}")
    assert read_report(source).request_id == 4711


@pytest.mark.parametrize(
    ("diagnosis", "reason"),
    [
        (b"smtp; 550 User unknown", "smtp; 550 User unknown"),
        ("smtp; 550 Benutzer ungültig".encode("latin-1"), "smtp; 550 Benutzer ungültig"),
        ("smtp; 550 Benutzer ungültig 😀".encode(), "smtp; 550 Benutzer ungültig 😀"),
        (b"smtp; =?iso-8859-1?Q?550_ung=FCltig?=", "smtp; 550 ungültig"),
        (b"smtp; =?utf-8?B?5LiN5piO?=\n =?utf-8?B?44Gq5a6b5YWI?=", "smtp; 不明な宛先"),
        (b"smtp; =?klingon?Q?550?=", "smtp; =?klingon?Q?550?="),
        (b"smtp; =?utf-8?Q?=FF?=", "smtp; =?utf-8?Q?=FF?="),
        (b"smtp; =?utf-7?Q?+2AA-?=", "smtp; ?"),
        (b"smtp; 550-5.1.1 one\r\n 550-5.1.1 two\n\t550 three", "smtp; 550-5.1.1 one 550-5.1.1 two 550 three"),
        (b"smtp; 550\x00\x1b[31m \x07no\x7f", "smtp; 550 [31m no"),
        (b"smtp; 550 \xe2\x80\xaeno", "smtp; 550 no"),
        (b"", ""),
    ],
)
def test_diagnoses(diagnosis, reason, mail):
    source = report(TEXT, status(failed(Diagnostic_Code="DIAGNOSIS")), original(mail))
    assert read_report(source.replace(b"DIAGNOSIS", diagnosis)).reason == f"5.1.1 {reason}".strip()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (failed(Status="5.1.1 (bad destination mailbox)"), "5.1.1"),
        (failed(Status="\n 5.1.1"), "5.1.1"),
        (failed(Status="unknown", Diagnostic_Code="smtp; 550 no"), "smtp; 550 no"),
        ("Action: failed", ""),
        ("ACTION: Failed (for good)\nstatus: 5.2.2", "5.2.2"),
        # Symantec's continuations are not indented.
        (
            "Diagnostic-Code: smtp; 550-Please\n550 authenticate.\nStatus: 5.0.0\nAction: failed",
            "5.0.0 smtp; 550-Please",
        ),
    ],
)
def test_fields(fields, reason, mail):
    assert read_report(report(TEXT, status(fields), original(mail))).reason == reason


def test_a_diagnosis_of_100_kilobytes(mail):
    source = report(TEXT, status(failed(Diagnostic_Code="smtp; 550 " + "x" * 100_000)), original(mail))
    found = read_report(source)
    assert found.request_id == 4711
    assert found.reason.startswith("5.1.1 smtp; 550 xxx")
    assert len(found.reason) < 2000


def test_the_first_failed_recipient_counts(mail):
    groups = [failed(Action="delayed", Status="4.4.1"), failed(Status="5.2.1"), failed(Status="5.2.2")]
    assert read_report(report(TEXT, status(*groups), original(mail))).reason == "5.2.1"


@pytest.mark.parametrize(
    ("date", "at"),
    [
        ("Mon, 2 Nov 2026 10:00:00 -0500 (EST)", datetime(2026, 11, 2, 15, tzinfo=UTC)),
        ("2 Nov 2026 10:00 -0000", datetime(2026, 11, 2, 10, tzinfo=UTC)),
        pytest.param(format_datetime(datetime.now(UTC) + timedelta(hours=1)), None, id="in an hour"),
        ("1 Jan 0999 00:00 +0000", None),
        ("Fri, 31 Dec 9999 23:59:59 -1400", None),
        ("yesterday", None),
        ("=?utf-8?q?yesterday?=", None),
        ("9" * 5000, None),
        ("\xff\x00", None),
        ("", None),
        (None, None),
    ],
)
def test_dates(date, at, mail):
    headers = "Subject: failed" if date is None else f"Date: {date}"
    assert read_report(report(TEXT, status(), original(mail), headers=headers, date=False)).at == at


@pytest.mark.parametrize("action", ["delayed", "relayed", "delivered", "expanded", "", "unfailed", "x failed"])
def test_other_actions_are_no_failures(action, mail):
    with pytest.raises(NotABounce, match="reports no failure"):
        read_report(report(TEXT, status(failed(Action=action)), original(mail)))


@pytest.mark.parametrize("body", [True, False])
@pytest.mark.parametrize("build", FORMATS)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_truncated_reports(build, body, newline, mail):
    source = build(mail, body=body).replace(b"\n", newline)
    part = source.rindex(b"\n" + b"--=_report/1" + newline)
    end = source.index(newline, source.index(TOKEN_HEADER.encode(), part)) + len(newline)
    for length in [*range(0, end, 31), *range(end - 99, end)]:
        with pytest.raises(NotABounce):
            read_report(source[:length])
    for length in [*range(end, end + 99), *range(end, len(source), 31)]:
        assert read_report(source[:length]).request_id == 4711


def test_truncated_base64(mail):
    source = report(TEXT, encoded(status(), "base64"), encoded(original(mail), "base64"))
    for length in range(len(source) - 99, len(source)):
        assert read_report(source[:length]).request_id == 4711


def test_other_messages(mail):
    for source in (
        b"",
        b"\n",
        b"From MAILER-DAEMON Mon Nov  2 10:00:00 2026\n",
        b"\x00" * 1000,
        mail.as_bytes(),
        report(TEXT, original(mail)),
        report(TEXT, status(), original(mail), kind="text/plain"),
        report(TEXT, status(), original(mail)).replace(b"boundary=", b"border="),
        reports.disposition_notification(mail),
        reports.abuse_report(mail),
        report(TEXT, inner(reports.postfix(mail))),
    ):
        with pytest.raises(NotABounce, match="not a delivery status notification"):
            read_report(source)


def test_reports_about_other_emails(mail):
    token = f"{TOKEN_HEADER}: {mail[TOKEN_HEADER]}"
    other = original(with_token(mail, None))
    in_body = f"Subject: hello\n\n{token}\n".encode()
    for source in (
        report(TEXT, status()),
        report(TEXT, status(), other),
        report(("Content-Type: text/plain", token.encode()), status(), other),
        report(TEXT, status(), other, headers=token),
        report((f"Content-Type: text/plain\n{token}", b""), status(), (f"{other[0]}\n{token}", other[1])),
        report(TEXT, status(f"{failed()}\n{token}"), other),
        report(TEXT, status(), ("Content-Type: message/rfc822", in_body)),
        report(TEXT, status(), ("Content-Type: message/rfc822", b"\n" + token.encode())),
        report(TEXT, status(), ("Content-Type: message/rfc822", f"Subject: a\n {token}\n\n".encode())),
        report(TEXT, status(), inner(report(TEXT, original(mail)))),
        report(TEXT, status(), ("Content-Type: text/plain", mail.as_bytes())),
        report(TEXT, status(), other) + report(TEXT, status(), original(mail)),
    ):
        with pytest.raises(NotABounce, match="not about one of this service's emails"):
            read_report(source)


def forge(token):
    """Return tokens that resemble ``token`` but were not signed."""
    number, signature = token.split(":")
    other = signature.swapcase()
    yield from (
        f"{number}:{other}",
        f"4712:{signature}",
        f"04711:{signature}",
        f"-4711:{signature}",
        f"4711.0:{signature}",
    )
    yield from (number, f"{number}:", f":{signature}", signature, ":", f"{token}:{signature}", f"{number}::{signature}")
    yield from (f"{token}x", f"x{token}", f"４７１１:{signature}", f"{number}:\ud83d", f"{'9' * 5000}:{signature}")
    yield f"{number}:{'A' * 43}"


def test_forged_tokens(mail):
    source = report(TEXT, status(), original(mail))
    token = mail[TOKEN_HEADER]
    assert read_report(source).request_id == 4711
    for forged in forge(token):
        with pytest.raises(NotABounce, match="invalid signature"):
            read_report(source.replace(token.encode(), forged.encode(errors="surrogatepass")))


@pytest.mark.parametrize("salt", [None, "credit_pathways", "django.core.signing.Signer"])
def test_tokens_that_were_signed_for_another_purpose(salt, mail):
    source, forged = report(TEXT, status(), original(mail)), Signer(salt=salt).sign("4711")
    with pytest.raises(NotABounce, match="invalid signature"):
        read_report(source.replace(mail[TOKEN_HEADER].encode(), forged.encode()))


def test_several_originals_or_tokens_name_at_most_one_request(mail):
    forged, none = with_token(mail, "4712:forged"), with_token(mail, None)
    kind, source = original(mail)
    for first, second in (
        (original(none), (kind, source)),
        ((kind, source), original(forged)),
        (
            (
                kind,
                source.replace(b"\n", f"\n{TOKEN_HEADER}: {mail[TOKEN_HEADER]}\n{TOKEN_HEADER}: 4712:x\n".encode(), 1),
            ),
            TEXT,
        ),
    ):
        assert read_report(report(TEXT, status(), first, second)).request_id == 4711
    with pytest.raises(NotABounce, match="invalid signature"):
        read_report(report(TEXT, status(), original(forged), (kind, source)))


def test_rotated_secret_keys(mail, settings):
    source = report(TEXT, status(), original(mail))
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "rotated", [settings.SECRET_KEY]
    assert read_report(source).request_id == 4711
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(NotABounce, match="invalid signature"):
        read_report(source)
