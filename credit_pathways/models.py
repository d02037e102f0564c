"""The rows: catalog, shared program records, credit requests."""

from __future__ import annotations

import uuid
from typing import Any, TypeAlias

from django.conf import settings
from django.contrib.sites.models import Site
from django.db import models
from django.db.models import Case, Exists, OuterRef, Value, When
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

#: A user: an instance of the host's AUTH_USER_MODEL, which is a subclass of Django's AbstractUser.
Learner: TypeAlias = Any

# Relations to rows that are not the app's own have no reverse name: a host may have models of the same names,
# whose default reverse names would collide (Open edX Credentials does).
NO_REVERSE_NAME = "+"

#: The largest ``id`` that the databases can hold, and so be asked for.
MAX_ID = models.BigIntegerField.MAX_BIGINT


class Program(TimeStampedModel):
    """
    A program, copied from the catalog of the Discovery service.

    ``uuid`` is shared with Discovery; ``id`` is this service's own.

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

    class Meta:
        """A program is in a site's catalog once."""

        verbose_name = _("program")
        verbose_name_plural = _("programs")
        constraints = [models.UniqueConstraint(fields=["site", "uuid"], name="credit_pathways_program_once")]

    def __str__(self) -> str:
        """Return the title."""
        return self.title


class PathwayQuerySet(models.QuerySet["Pathway"]):
    """Queries of pathways."""

    def requestable_for(self, program: Program) -> PathwayQuerySet:
        """
        Return the pathways along which credit for ``program`` may be requested, by name.

        Published, of type credit, with an email address, linked to the program, on the same site. This is the only
        place that says so. Earlier requests do not count (ADR 0001).
        """
        # By its key, which takes Django less time; for an object it would see that it is one of these.
        if not isinstance(program, Program) or program.pk is None:
            raise ValueError(f"{program!r} is no program of the catalog")
        needs = [need for need, _lack in Pathway.needs()]
        return self.filter(*needs, programs=program.pk, site=program.site_id).order_by("name", "pk")

    def with_lacks(self) -> PathwayQuerySet:
        """Annotate each pathway with what keeps it from being requestable for any program; see ``Pathway.lacks``."""
        linked = Pathway.programs.through.objects.filter(pathway=OuterRef("pk"), program__site=OuterRef("site"))
        needs = [*Pathway.needs(), (Exists(linked), _("It is linked to no program of its site."))]
        lacks = [Case(When(need, then=Value("")), default=Value(str(lack))) for need, lack in needs]
        return self.annotate(**{f"lack_{number}": lack for number, lack in enumerate(lacks)})


class Pathway(TimeStampedModel):
    """
    How an institution takes requests for credit, for any number of programs.

    .. no_pii: The email address is the institution's (registrar@example.edu), not a learner's.
    """

    class Type(models.TextChoices):
        """Discovery's pathway types; credit is requested along those of type credit only."""

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
    programs = models.ManyToManyField(Program, related_name="pathways", blank=True, verbose_name=_("programs"))
    pathway_type = models.CharField(_("type"), max_length=24, choices=Type, default=Type.CREDIT)
    status = models.CharField(_("status"), max_length=24, choices=Status, default=Status.PUBLISHED)

    objects = PathwayQuerySet.as_manager()

    class Meta:
        """A pathway is in a site's catalog once."""

        verbose_name = _("pathway")
        verbose_name_plural = _("pathways")
        constraints = [models.UniqueConstraint(fields=["site", "uuid"], name="credit_pathways_pathway_once")]

    def __str__(self) -> str:
        """Return the name."""
        return self.name

    @staticmethod
    def needs() -> list[tuple[models.Q, Promise]]:
        """Return what makes a pathway requestable for the programs it is linked to; each with words for its lack."""
        return [
            (models.Q(status=Pathway.Status.PUBLISHED), _("It is not published.")),
            (models.Q(pathway_type=Pathway.Type.CREDIT), _("It is not of type credit.")),
            (~models.Q(email=""), _("It has no email address.")),
        ]

    @property
    def lacks(self) -> list[str]:
        """Return why nobody can request credit along a pathway that came from ``with_lacks``; nothing: they can."""
        return [lack for name, lack in vars(self).items() if name.startswith("lack_") and lack]


class ProgramCertRecord(TimeStampedModel):
    """
    A shared program record: ``uuid`` is the public link. It has nothing to do with certificates.

    Deleting the row withdraws the link (ADR 0006).

    .. pii: A random uuid that opens the learner's program record, beside the learner's id.
    .. pii_types: id, other
    .. pii_retirement: retained
    """

    program = models.ForeignKey(
        Program, on_delete=models.PROTECT, related_name="shared_records", verbose_name=_("program")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name=NO_REVERSE_NAME, verbose_name=_("learner")
    )
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False, verbose_name="UUID")

    class Meta:
        """A learner's record of a program has one link at most."""

        verbose_name = _("shared program record")
        verbose_name_plural = _("shared program records")
        constraints = [models.UniqueConstraint(fields=["program", "user"], name="credit_pathways_one_shared_record")]

    def __str__(self) -> str:
        """Return the row's number; neither the learner nor the link, which may end in a log."""
        return f"{self._meta.verbose_name} {self.pk}"


class UserCreditPathwayQuerySet(models.QuerySet["UserCreditPathway"]):
    """Queries of credit requests."""

    def with_imported(self) -> UserCreditPathwayQuerySet:
        """Annotate each request with ``is_imported``: whether it was copied from Credentials' own records app."""
        return self.annotate(is_imported=ImportedRow.of_request())

    def deliverable(self) -> UserCreditPathwayQuerySet:
        """
        Return the requests whose email may leave, now or later: it never left, and the program is known.

        Rows from before migration 0002 have no program, so nobody knows what their email would ask for; they are
        never delivered (ADR 0008). Nor are imported rows, whose learners asked elsewhere (ADR 0017).
        """
        return self.filter(~ImportedRow.of_request(), status__in=UserCreditPathway.UNSENT, program__isnull=False)

    def of_program(self, program_uuid: uuid.UUID) -> UserCreditPathwayQuerySet:
        """
        Return the requests for a program of the catalog, on whatever site.

        By the keys, which are few, so that the index of requests by program gives them in their order (ADR 0013).
        """
        keys = Program.objects.filter(uuid=program_uuid).values_list("pk", flat=True)
        return self.filter(program__in=list(keys))

    def pending(self) -> UserCreditPathwayQuerySet:
        """
        Return the deliverable requests that nobody has given up.

        No machine goes on with a request that has failed: the learner was told so (ADR 0012).
        """
        return self.deliverable().filter(status=UserCreditPathway.Status.PENDING)


class UserCreditPathway(TimeStampedModel):
    """
    A credit request: this learner asked along this pathway for credit for this program, at ``created``.

    One row for each request, and no unique constraint: asking again is allowed, and nothing reads earlier rows to
    decide anything (ADR 0001, ADR 0003). ``program`` is null in rows from before migration 0002.

    .. pii: Which institution the learner, named by id, asked for credit, and for which program.
    .. pii_types: id, other
    .. pii_retirement: retained
    """

    class Status(models.TextChoices):
        """What is known of the request's email (ADR 0002)."""

        PENDING = "pending", _("pending")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")

    #: The statuses of a request whose email never left.
    UNSENT = (Status.PENDING, Status.FAILED)

    # An index of Meta begins with each of them, so none needs one of its own (ADR 0013).
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name=NO_REVERSE_NAME,
        verbose_name=_("learner"),
        db_index=False,
    )
    pathway = models.ForeignKey(
        Pathway,
        on_delete=models.PROTECT,
        related_name="credit_requests",
        verbose_name=_("pathway"),
        db_index=False,
    )
    program = models.ForeignKey(
        Program,
        on_delete=models.PROTECT,
        related_name="credit_requests",
        null=True,
        blank=True,
        verbose_name=_("program"),
        db_index=False,
    )
    status = models.CharField(_("status"), max_length=15, choices=Status, default=Status.PENDING)

    objects = UserCreditPathwayQuerySet.as_manager()

    class Meta:
        """No constraint, on purpose; ADR 0013 says which query each index serves."""

        verbose_name = _("credit request")
        verbose_name_plural = _("credit requests")
        permissions = [("deliver_usercreditpathway", _("Can deliver credit requests again"))]
        indexes = [
            models.Index(fields=["created"], name="credit_pathways_by_created"),
            models.Index(fields=["user", "pathway", "program", "created"], name="credit_pathways_by_learner"),
            models.Index(fields=["pathway", "created"], name="credit_pathways_by_pathway"),
            models.Index(fields=["program", "created"], name="credit_pathways_by_program"),
            models.Index(fields=["status", "created"], name="credit_pathways_by_status"),
        ]

    def __str__(self) -> str:
        """Return the row's number, without the learner: it may end in a log."""
        return f"{self._meta.verbose_name} {self.pk}"


class ImportedRow(models.Model):
    """
    A row of Credentials' own records app that ``import_credentials_requests`` has dealt with (ADR 0017).

    ``table`` and ``row_id`` name it. It is not imported again, even if its copy is gone: a public link that the
    learner has withdrawn stays withdrawn. ``credit_request`` is its copy, if it is a credit request.

    .. no_pii:
    """

    table = models.CharField(max_length=64)
    row_id = models.BigIntegerField()
    credit_request = models.OneToOneField(
        UserCreditPathway, on_delete=models.SET_NULL, null=True, related_name="imported_row"
    )

    class Meta:
        """A row is dealt with once, and by no person."""

        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["table", "row_id"], name="credit_pathways_imported_once")]

    def __str__(self) -> str:
        """Return the table and the row's number."""
        return f"{self.table} {self.row_id}"

    @classmethod
    def of_request(cls) -> Exists:
        """Return the condition, in a query of credit requests, that the request was imported."""
        return Exists(cls.objects.filter(credit_request=OuterRef("pk")))
