"""The catalog, which pathways are requestable, shared program records, credit requests, and what their status says."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.messages import constants as message_levels
from django.contrib.sites.models import Site
from django.core.validators import URLValidator
from django.db import models
from django.db.models import Exists, ExpressionWrapper, OuterRef, Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from .users import active_users

# No reverse accessors on models of other apps: a host may have models with the same names as ours, and their default
# accessors would clash. Open edX Credentials does.
NO_REVERSE_NAME = "+"

#: The largest ``id`` a database can store, and so the largest that input may ask for.
MAX_ID = models.BigIntegerField.MAX_BIGINT

# Far enough from the limits of Python's and the databases' calendars that converting time zones cannot overflow them.
MIN_DATETIME, MAX_DATETIME = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def is_storable_datetime(value: Any) -> bool:
    """Return whether ``value`` is an aware datetime between ``MIN_DATETIME`` and ``MAX_DATETIME``."""
    return isinstance(value, datetime) and timezone.is_aware(value) and MIN_DATETIME <= value <= MAX_DATETIME


#: Pages link to these addresses, so other schemes, such as ``javascript``, are invalid.
validate_web_address = URLValidator(schemes=["http", "https"])


class Program(TimeStampedModel):
    """
    A catalog program, copied from the Discovery service.

    It shares its ``uuid`` with Discovery. Its ``id`` is local.

    .. no_pii:
    """

    class Status(models.TextChoices):
        """Discovery's program statuses."""

        ACTIVE = "active", _("active")
        RETIRED = "retired", _("retired")
        UNPUBLISHED = "unpublished", _("unpublished")
        DELETED = "deleted", _("deleted")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name=NO_REVERSE_NAME, verbose_name=_("site"))
    uuid = models.UUIDField(verbose_name="UUID")
    title = models.CharField(_("title"), max_length=255)
    type = models.CharField(_("type"), max_length=255, blank=True, help_text=_("For example MicroMasters."))
    school = models.TextField(_("school"), blank=True, help_text=_("Names of the authoring organisations."))
    status = models.CharField(_("status"), max_length=24, choices=Status, default=Status.ACTIVE)
    #: Whether synchronizations update and retire the row. Set when one creates it, cleared by *Manage here* (ADR 0019).
    is_synced = models.BooleanField(_("synchronized"), default=False, editable=False)

    class Meta:
        verbose_name = _("program")
        verbose_name_plural = _("programs")
        constraints = [models.UniqueConstraint(fields=["site", "uuid"], name="credit_pathways_program_once")]

    def __str__(self) -> str:
        return self.title


class Need(NamedTuple):
    """Something a pathway needs to be requestable. ``name`` is its annotation; see ``PathwayQuerySet.with_needs``."""

    name: str
    condition: Q | Exists
    problem: Promise  # what staff read about a pathway without it


class PathwayQuerySet(models.QuerySet["Pathway"]):
    """Which pathways are requestable, and why not."""

    def requestable_for(self, program: Program) -> PathwayQuerySet:
        """
        Return the pathways through which credit for ``program`` can be requested, ordered by name.

        This is the only statement of the rule (``Pathway.needs``). Earlier requests do not matter (ADR 0001).
        """
        conditions = [need.condition for need in Pathway.needs()]
        return self.filter(*conditions, programs=program, site=program.site_id).order_by("name", "pk")

    def with_needs(self) -> PathwayQuerySet:
        """Annotate each pathway with what it needs to be requestable for any program; see ``Pathway.problems``."""
        needs = [*Pathway.needs(), Pathway.needs_a_program()]
        return self.annotate(**{need.name: ExpressionWrapper(need.condition, models.BooleanField()) for need in needs})


class Pathway(TimeStampedModel):
    """
    How an institution accepts requests for credit, for any number of programs.

    .. no_pii: The email address is the institution's (registrar@example.edu), not a learner's.
    """

    class Type(models.TextChoices):
        """Discovery's pathway types. Only credit pathways are requestable."""

        CREDIT = "credit", _("credit")
        INDUSTRY = "industry", _("industry")

    class Status(models.TextChoices):
        """Discovery's pathway statuses."""

        PUBLISHED = "published", _("published")
        UNPUBLISHED = "unpublished", _("unpublished")
        RETIRED = "retired", _("retired")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name=NO_REVERSE_NAME, verbose_name=_("site"))
    uuid = models.UUIDField(verbose_name="UUID")
    name = models.CharField(_("name"), max_length=255)
    org_name = models.CharField(_("institution"), max_length=255)
    email = models.EmailField(_("email address"), blank=True, help_text=_("Where the institution gets requests."))
    description = models.TextField(
        _("description"), blank=True, help_text=_("What learners should do after requesting credit. Plain text.")
    )
    destination_url = models.CharField(
        _("next steps page"),
        max_length=2000,
        blank=True,
        validators=[validate_web_address],
        help_text=_("The institution's page about the next steps. It must start with http:// or https://."),
    )
    programs = models.ManyToManyField(Program, related_name="pathways", blank=True, verbose_name=_("programs"))
    pathway_type = models.CharField(_("type"), max_length=24, choices=Type, default=Type.CREDIT)
    status = models.CharField(_("status"), max_length=24, choices=Status, default=Status.PUBLISHED)
    #: See ``Program.is_synced``.
    is_synced = models.BooleanField(_("synchronized"), default=False, editable=False)

    objects = PathwayQuerySet.as_manager()

    class Meta:
        verbose_name = _("pathway")
        verbose_name_plural = _("pathways")
        constraints = [models.UniqueConstraint(fields=["site", "uuid"], name="credit_pathways_pathway_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def next_steps_url(self) -> str:
        """``destination_url``, but empty if it was saved without validation and no page may link to it."""
        return self.destination_url if self.destination_url.lower().startswith(("http://", "https://")) else ""

    @staticmethod
    def needs() -> list[Need]:
        """Return what makes a pathway requestable for the programs it is linked to."""
        return [
            Need("is_published", Q(status=Pathway.Status.PUBLISHED), _("It is not published.")),
            Need("is_for_credit", Q(pathway_type=Pathway.Type.CREDIT), _("It is not of type credit.")),
            Need("has_email", ~Q(email=""), _("It has no email address.")),
        ]

    @staticmethod
    def needs_a_program() -> Need:
        """Return the need of a pathway on its own, where no program is given."""
        links = Pathway.programs.through.objects.filter(pathway=OuterRef("pk"), program__site=OuterRef("site"))
        return Need("has_program", Exists(links), _("It is linked to no program of its site."))

    @property
    def problems(self) -> list[Promise]:
        """Why the pathway is not requestable for any program; empty if it is. Needs ``with_needs``."""
        needs = [*Pathway.needs(), Pathway.needs_a_program()]
        return [need.problem for need in needs if not getattr(self, need.name)]


class ProgramCertRecordQuerySet(models.QuerySet["ProgramCertRecord"]):
    """Which public links work."""

    def open(self) -> ProgramCertRecordQuerySet:
        """Return the shared records whose links work: those of active accounts (promise 7)."""
        return self.filter(Exists(active_users().filter(pk=OuterRef("user"))))


class ProgramCertRecord(TimeStampedModel):
    """
    A shared program record. Its ``uuid`` is the public link. It has nothing to do with certificates.

    Deleting the row withdraws the link (ADR 0006).

    .. pii: A random uuid that opens the learner's program record, beside the learner's id. Retirement deletes the row.
    .. pii_types: id, other
    .. pii_retirement: local_api
    """

    program = models.ForeignKey(
        Program, on_delete=models.PROTECT, related_name="shared_records", verbose_name=_("program")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name=NO_REVERSE_NAME, verbose_name=_("learner")
    )
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False, verbose_name="UUID")

    objects = ProgramCertRecordQuerySet.as_manager()

    class Meta:
        verbose_name = _("shared program record")
        verbose_name_plural = _("shared program records")
        constraints = [models.UniqueConstraint(fields=["program", "user"], name="credit_pathways_one_shared_record")]

    def __str__(self) -> str:
        # Neither the learner nor the link, because this text may end up in a log.
        return f"{self._meta.verbose_name} {self.pk}"


class UserCreditPathwayQuerySet(models.QuerySet["UserCreditPathway"]):
    """Which credit requests may be delivered."""

    def with_imported(self) -> UserCreditPathwayQuerySet:
        """Annotate each request with ``is_imported``: whether it was copied from Credentials' own records app."""
        return self.annotate(is_imported=ImportedRow.of_request())

    def deliverable(self) -> UserCreditPathwayQuerySet:
        """
        Return the requests that were never sent and may still be.

        Requests without a program never are, because it is unknown what their email would ask for (ADR 0008). Nor are
        imported requests, which their learners made elsewhere (ADR 0017).
        """
        return self.filter(~ImportedRow.of_request(), status__in=UserCreditPathway.UNSENT, program__isnull=False)

    def pending(self) -> UserCreditPathwayQuerySet:
        """
        Return the requests that a machine may deliver.

        Failed requests are not among them: their learners were told to try again (ADR 0012).
        """
        return self.deliverable().filter(status=UserCreditPathway.Status.PENDING)

    def of_program(self, program_uuid: uuid.UUID) -> UserCreditPathwayQuerySet:
        """Return the requests for a program, on any site."""
        # The ids first, so that the database can read the requests in the order of their index (ADR 0013).
        ids = Program.objects.filter(uuid=program_uuid).values_list("pk", flat=True)
        return self.filter(program__in=list(ids))


class StatusMessage(NamedTuple):
    """What learners see of a status: its label, the message after a request, and the HTTP status of ``send``."""

    label: Promise
    text: Promise  # with the names of the pathway and the institution
    level: int
    http_status: int


class UserCreditPathway(TimeStampedModel):
    """
    A credit request: at ``created``, this learner requested credit for this program through this pathway.

    Each click adds a row. There is no unique constraint, and nothing reads earlier rows to decide what a learner may
    do (ADR 0001, ADR 0003). ``program`` is null in rows written before migration 0002.

    .. pii: Which institution the learner, named by id, asked for credit, for which program, and whether it was
        completed. A mail server's text (``bounce_reason``), without the learner's name and address. Retirement marks
        pending requests as failed, and keeps the rows for reports.
    .. pii_types: id, other
    .. pii_retirement: local_api
    """

    class Status(models.TextChoices):
        """Whether the request's email was sent (ADR 0002)."""

        PENDING = "pending", _("pending")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")

        @property
        def message(self) -> StatusMessage:
            return STATUS_MESSAGES[self]

    #: The statuses of a request whose email was never sent.
    UNSENT = (Status.PENDING, Status.FAILED)

    # These three have no index of their own, because an index in Meta begins with each of them (ADR 0013).
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, NO_REVERSE_NAME, verbose_name=_("learner"), db_index=False
    )
    pathway = models.ForeignKey(Pathway, models.PROTECT, "credit_requests", verbose_name=_("pathway"), db_index=False)
    program = models.ForeignKey(
        Program, models.PROTECT, "credit_requests", null=True, blank=True, verbose_name=_("program"), db_index=False
    )
    status = models.CharField(_("status"), max_length=15, choices=Status, default=Status.PENDING)
    #: The program's state at ``created``; null if unknown. The email has the state at delivery.
    completed = models.BooleanField(_("completed when requested"), null=True, blank=True)
    #: The address that the email was sent to; empty until then.
    sent_to = models.EmailField(_("sent to"), blank=True)
    #: Deliveries started.
    attempts = models.PositiveIntegerField(_("delivery attempts"), default=0)
    #: Attempts of workers to tell the learner about the request by email.
    learner_email_attempts = models.PositiveIntegerField(default=0, editable=False)
    #: Why the last attempt has not sent the email, in English, without personal data; empty while that is unknown.
    failure_reason = models.CharField(_("why it has not been sent"), max_length=255, blank=True)
    #: A bounce leaves ``modified`` as it is, which receipts and reports read as the time of sending.
    bounced_at = models.DateTimeField(_("bounced at"), null=True, blank=True)
    bounce_reason = models.CharField(_("why it bounced"), max_length=255, blank=True)

    objects = UserCreditPathwayQuerySet.as_manager()

    class Meta:
        # No constraints, on purpose. ADR 0013 lists the queries that each index serves.
        verbose_name = _("credit request")
        verbose_name_plural = _("credit requests")
        permissions = [
            ("deliver_usercreditpathway", _("Can deliver credit requests again")),
            ("retire_learner", _("Can retire learners")),
        ]
        indexes = [
            models.Index(fields=["created"], name="credit_pathways_by_created"),
            models.Index(fields=["user", "pathway", "program", "created"], name="credit_pathways_by_learner"),
            models.Index(fields=["pathway", "created"], name="credit_pathways_by_pathway"),
            models.Index(fields=["program", "created"], name="credit_pathways_by_program"),
            models.Index(fields=["status", "created"], name="credit_pathways_by_status"),
        ]

    def __str__(self) -> str:
        # Without the learner, because this text may end up in a log.
        return f"{self._meta.verbose_name} {self.pk}"

    @property
    def status_label(self) -> Promise:
        """The status as its learner reads it. Needs ``with_imported``."""
        is_unknown = self.status == self.Status.PENDING and (self.is_imported or not self.program_id)  # type: ignore[attr-defined]
        return _("Not known") if is_unknown else self.Status(self.status).message.label

    @property
    def failure_label(self) -> str:
        """``failure_reason`` in the current language; what is in parentheses, such as an error's class, stays as is."""
        text, parenthesis, detail = self.failure_reason.partition(" (")
        return f"{gettext(text)}{parenthesis}{detail}" if text else ""


#: To show a status to learners and to return it from ``send``, it is enough to add it here.
STATUS_MESSAGES = {
    UserCreditPathway.Status.SENT: StatusMessage(
        label=_("Sent"),
        text=_("%(pathway)s: your request was sent to %(institution)s."),
        level=message_levels.SUCCESS,
        http_status=200,
    ),
    UserCreditPathway.Status.PENDING: StatusMessage(
        label=_("Waiting to be sent"),
        text=_("%(pathway)s: your request to %(institution)s is recorded. Its email has not left yet."),
        level=message_levels.INFO,
        http_status=202,
    ),
    UserCreditPathway.Status.FAILED: StatusMessage(
        label=_("Could not be sent"),
        text=_("%(pathway)s: your request could not be sent to %(institution)s. Please try again."),
        level=message_levels.ERROR,
        http_status=502,
    ),
}


class ImportedRow(models.Model):
    """
    A row of Credentials' own records app that ``import_credentials_requests`` has handled (ADR 0017).

    ``table`` and ``row_id`` identify it. It is never imported again, even if its copy is deleted: a link that its
    learner withdrew stays withdrawn. ``credit_request`` is its copy, if it is a credit request.

    .. no_pii:
    """

    table = models.CharField(max_length=64)
    row_id = models.BigIntegerField()
    credit_request = models.OneToOneField(
        UserCreditPathway, on_delete=models.SET_NULL, null=True, related_name="imported_row"
    )

    class Meta:
        # These rows are not managed by hand.
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["table", "row_id"], name="credit_pathways_imported_once")]

    def __str__(self) -> str:
        return f"{self.table} {self.row_id}"

    @classmethod
    def of_request(cls) -> Exists:
        """Return the condition, for a query of credit requests, that the request was imported."""
        return Exists(cls.objects.filter(credit_request=OuterRef("pk")))
