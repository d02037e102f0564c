"""Serializers. The program records have the shape that the Open edX Learner Record front end expects."""

from functools import cache, partial
from typing import Any

from django.template.defaultfilters import slugify
from rest_framework import ISO_8601, serializers

from ..models import MAX_ID, Pathway, UserCreditPathway
from ..records import CourseResult, ProgramRecord

#: The field of a row's id. The automatic one would be text if the host has set COERCE_BIGINT_TO_STRING.
ID = partial(serializers.IntegerField, read_only=True)


class ShareSerializer(serializers.Serializer[Any]):
    """The request body of ``share``."""

    # min_length is for the schema. A blank username is an error without it, too.
    username = serializers.CharField(
        min_length=1, trim_whitespace=False, help_text="The username of the requesting user."
    )


class SendSerializer(ShareSerializer):
    """The request body of ``send``."""

    pathway_id = serializers.IntegerField(min_value=1, max_value=MAX_ID)


class RetireSerializer(serializers.Serializer[Any]):
    """The request body of ``retire_learner``."""

    username = serializers.CharField(min_length=1, trim_whitespace=False)


class SentSerializer(serializers.ModelSerializer[UserCreditPathway]):
    """A credit request and whether its email was sent."""

    id = ID()

    class Meta:
        model = UserCreditPathway
        fields = ("id", "status")


class SharedSerializer(serializers.Serializer[Any]):
    """The public link of a shared program record."""

    url = serializers.URLField()


class ProgramSummarySerializer(serializers.Serializer[ProgramRecord]):
    """A program record in the learner's list."""

    name = serializers.CharField(source="program.title")
    uuid = serializers.UUIDField(source="program.uuid")
    partner = serializers.CharField(source="program.school")
    completed = serializers.BooleanField(source="progress.completed")
    empty = serializers.BooleanField()


class ProgramListSerializer(serializers.Serializer[Any]):
    """The learner's program records."""

    enrolled_programs = ProgramSummarySerializer(many=True)


class LearnerSerializer(serializers.Serializer[Any]):
    """The learner. ``username`` and ``email`` are empty in a public record."""

    full_name = serializers.CharField(allow_blank=True)
    username = serializers.CharField(allow_blank=True)
    email = serializers.CharField(allow_blank=True)


class ProgramSerializer(serializers.Serializer[ProgramRecord]):
    """The program and the learner's progress in it."""

    name = serializers.CharField(source="program.title")
    type = serializers.SerializerMethodField(help_text="The type as a slug, such as micromasters.")
    type_name = serializers.CharField(source="program.type")
    completed = serializers.BooleanField(source="progress.completed")
    empty = serializers.BooleanField()
    last_updated = serializers.DateTimeField(source="progress.last_updated", allow_null=True, format=ISO_8601)
    school = serializers.CharField(source="program.school")

    def get_type(self, record: ProgramRecord) -> str:
        return slugify(record.program.type)


class GradeSerializer(serializers.Serializer[CourseResult]):
    """The learner's best result in one course."""

    name = serializers.CharField()
    school = serializers.CharField()
    attempts = serializers.IntegerField(allow_null=True)
    course_id = serializers.CharField()
    issue_date = serializers.DateTimeField(allow_null=True, format=ISO_8601)
    percent_grade = serializers.FloatField(allow_null=True, help_text="A fraction from 0 to 1.")
    letter_grade = serializers.CharField()


class PathwaySerializer(serializers.ModelSerializer[Pathway]):
    """A requestable pathway. ``status`` is always empty, whatever was requested before (ADR 0001)."""

    id = ID()
    status = serializers.SerializerMethodField()
    is_active = serializers.SerializerMethodField(help_text="Always true: only requestable pathways are listed.")

    class Meta:
        model = Pathway
        fields = ("name", "id", "pathway_type", "status", "is_active")
        read_only_fields = fields

    def get_status(self, pathway: Pathway) -> str:
        return ""

    def get_is_active(self, pathway: Pathway) -> bool:
        return True


class RecordSerializer(serializers.Serializer[Any]):
    """The contents of a program record."""

    learner = LearnerSerializer()
    program = ProgramSerializer()
    platform_name = serializers.CharField()
    grades = GradeSerializer(many=True)
    pathways = PathwaySerializer(many=True)
    shared_program_record_uuid = serializers.UUIDField(allow_null=True)


class ProgramRecordSerializer(serializers.Serializer[Any]):
    """A program record, either the learner's own or a public one."""

    record = RecordSerializer()
    is_public = serializers.BooleanField()
    uuid = serializers.UUIDField()
    records_help_url = serializers.CharField(allow_blank=True)


@cache
def program_record_serializer() -> ProgramRecordSerializer:
    """
    Return the instance of ``ProgramRecordSerializer`` that all requests share; call its ``to_representation``.

    Django REST framework copies every field for every new instance, which takes longer than serializing a record.
    """
    return ProgramRecordSerializer()


class RecordQuerySerializer(serializers.Serializer[Any]):
    """The query string of the program record endpoint."""

    is_public = serializers.BooleanField(default=False, help_text="The uuid is a public link, which needs no login.")


class CreditRequestSerializer(serializers.ModelSerializer[UserCreditPathway]):
    """
    A credit request.

    ``program`` and ``program_uuid`` are null in rows written before programs were recorded. ``completed`` is the
    program's state when the learner requested credit; null if unknown.
    """

    id = ID()
    username = serializers.CharField(source="user.get_username")
    pathway = serializers.CharField(source="pathway.name")
    institution = serializers.CharField(source="pathway.org_name")
    program = serializers.CharField(source="program.title", allow_null=True, default=None)
    program_uuid = serializers.UUIDField(source="program.uuid", allow_null=True, default=None)
    sent_to = serializers.CharField(help_text="An email address, or empty if the email was never handed over.")

    class Meta:
        model = UserCreditPathway
        fields = (
            "id", "username", "pathway_id", "pathway", "institution", "program_uuid", "program", "status", "completed",
            "sent_to", "attempts", "failure_reason", "bounced_at", "bounce_reason", "created", "modified",
        )  # fmt: skip
        read_only_fields = fields
        extra_kwargs = {name: {"format": ISO_8601} for name in ("bounced_at", "created", "modified")}
