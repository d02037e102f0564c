"""The shapes of the JSON, as the Open edX Learner Record front end expects them (design, "URLs")."""

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any, TypeVar

from django.template.defaultfilters import slugify
from rest_framework import serializers

from ..models import MAX_ID, Pathway, UserCreditPathway
from ..records import CourseResult, ProgramRecord

S = TypeVar("S", bound=serializers.Serializer)


@cache
def prepared(shape: type[S]) -> S:
    """
    Return the process's one instance of a serializer, for its ``to_representation``, which keeps nothing.

    Django REST framework copies each field of each new instance, which takes longer than all that the instance does.
    For ``run_validation`` too where no field has limits: the first message about one is kept, in its language.
    """
    return shape()


class ShareSerializer(serializers.Serializer[Any]):
    """The body of ``share``."""

    username = serializers.CharField(trim_whitespace=False, help_text="The requesting learner's own.")


class SendSerializer(ShareSerializer):
    """The body of ``send``."""

    pathway_id = serializers.IntegerField(min_value=1, max_value=MAX_ID)


class SentSerializer(serializers.ModelSerializer[UserCreditPathway]):
    """What became of a request."""

    class Meta:
        """The row's id and status."""

        model = UserCreditPathway
        fields = ("id", "status")


class SharedSerializer(serializers.Serializer[Any]):
    """The public link."""

    url = serializers.URLField()


class ProgramSummarySerializer(serializers.Serializer[ProgramRecord]):
    """A program record in the learner's list."""

    name = serializers.CharField(source="program.title")
    uuid = serializers.UUIDField(source="program.uuid")
    partner = serializers.CharField(source="program.school")
    completed = serializers.BooleanField(source="progress.completed")
    empty = serializers.BooleanField()


class ProgramListSerializer(serializers.Serializer[Any]):
    """The learner's list."""

    enrolled_programs = ProgramSummarySerializer(many=True)


class LearnerSerializer(serializers.Serializer[Any]):
    """The learner. ``username`` and ``email`` are empty in a public record."""

    full_name = serializers.CharField(allow_blank=True)
    username = serializers.CharField(allow_blank=True)
    email = serializers.CharField(allow_blank=True)


class ProgramSerializer(serializers.Serializer[ProgramRecord]):
    """The program and how far the learner got in it."""

    name = serializers.CharField(source="program.title")
    type = serializers.SerializerMethodField()
    type_name = serializers.CharField(source="program.type")
    completed = serializers.BooleanField(source="progress.completed")
    empty = serializers.BooleanField()
    last_updated = serializers.DateTimeField(source="progress.last_updated", allow_null=True)
    school = serializers.CharField(source="program.school")

    def get_type(self, record: ProgramRecord) -> str:
        """Return the type as a slug, such as ``micromasters``."""
        return slugify(record.program.type)


class GradeSerializer(serializers.Serializer[Any]):
    """The learner's best result in one course."""

    name = serializers.CharField()
    school = serializers.CharField()
    attempts = serializers.IntegerField()
    course_id = serializers.CharField()
    issue_date = serializers.DateTimeField(allow_null=True)
    percent_grade = serializers.FloatField(allow_null=True, help_text="A fraction, 0 to 1.")
    letter_grade = serializers.CharField()

    @cached_property
    def _converters(self) -> list[tuple[str, Callable[[Any], Any]]]:
        return [(name, field.to_representation) for name, field in self.fields.items()]

    def to_representation(self, course: CourseResult) -> dict[str, Any]:
        """Return the fields, as the superclass would, which looks for more than attributes and takes twice as long."""
        return {
            name: None if (value := getattr(course, name)) is None else convert(value)
            for name, convert in self._converters
        }


class PathwaySerializer(serializers.Serializer[Mapping[str, Any]]):
    """A requestable pathway. ``status`` is always empty, whatever was requested before (ADR 0001)."""

    #: What is read of it.
    COLUMNS = ("name", "id", "pathway_type")

    name = serializers.CharField(read_only=True)
    id = serializers.IntegerField(read_only=True)
    status = serializers.CharField(read_only=True)
    is_active = serializers.BooleanField(read_only=True)
    pathway_type = serializers.ChoiceField(Pathway.Type.choices, read_only=True)

    def to_representation(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a row of ``COLUMNS``; it is active, for one that is not requestable is not listed."""
        return {**row, "status": "", "is_active": True}


class RecordSerializer(serializers.Serializer[Any]):
    """The program record."""

    learner = LearnerSerializer()
    program = ProgramSerializer()
    platform_name = serializers.CharField()
    grades = GradeSerializer(many=True)
    pathways = PathwaySerializer(many=True)
    shared_program_record_uuid = serializers.UUIDField(allow_null=True)


class ProgramRecordSerializer(serializers.Serializer[Any]):
    """A program record, the learner's own or a public one."""

    record = RecordSerializer()
    is_public = serializers.BooleanField()
    uuid = serializers.UUIDField()
    records_help_url = serializers.CharField(allow_blank=True)


class RecordQuerySerializer(serializers.Serializer[Any]):
    """The query string of the program record."""

    is_public = serializers.BooleanField(
        default=False, help_text="Whether the uuid is a shared program record's; no login is needed then."
    )


class CreditRequestSerializer(serializers.ModelSerializer[UserCreditPathway]):
    """A credit request, as it was recorded. ``program`` fields are null in rows from before programs were."""

    username = serializers.CharField(source="user.get_username")
    pathway = serializers.CharField(source="pathway.name")
    institution = serializers.CharField(source="pathway.org_name")
    program = serializers.CharField(source="program.title", allow_null=True, default=None)
    program_uuid = serializers.UUIDField(source="program.uuid", allow_null=True, default=None)

    class Meta:
        """The row, with the names of what it points at."""

        model = UserCreditPathway
        fields = (
            "id", "username", "pathway_id", "pathway", "institution", "program_uuid", "program", "status", "created",
            "modified",
        )  # fmt: skip
        read_only_fields = fields
