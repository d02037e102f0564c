"""The demo's own data, such as a Credentials service has in addition to the app's tables."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models

from credit_pathways.models import Program


class User(AbstractUser):
    """
    A user with one name field, as in Open edX Credentials.

    .. pii: Name, email address, username and language of a person.
    .. pii_types: name, email_address, username
    .. pii_retirement: retained
    """

    full_name = models.CharField(max_length=255, blank=True)
    #: The one chosen on the home page; empty until then.
    language = models.CharField(max_length=16, blank=True)

    def get_full_name(self) -> str:
        return self.full_name


class Course(models.Model):
    """
    A course run of a program.

    .. no_pii:
    """

    program = models.ForeignKey(Program, on_delete=models.CASCADE, related_name="courses")
    key = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    school = models.CharField(max_length=255)

    def __str__(self) -> str:
        return self.key


class Grade(models.Model):
    """
    A learner's best grade in a course. It is earned if it has an issue date.

    .. pii: Grades of a learner, named by id.
    .. pii_types: id, other
    .. pii_retirement: retained
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="grades")
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="grades")
    percent = models.DecimalField(max_digits=5, decimal_places=4)
    letter = models.CharField(max_length=8)
    attempts = models.PositiveSmallIntegerField(default=1)
    issued = models.DateTimeField(null=True, blank=True)
    modified = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "course"], name="demo_one_grade")]

    def __str__(self) -> str:
        return f"grade {self.pk}"


class Mail(models.Model):
    """
    An email as it was sent.

    .. pii: Whole emails, with the name and address of the learner.
    .. pii_types: name, email_address, other
    .. pii_retirement: retained
    """

    sent = models.DateTimeField(auto_now_add=True)
    source = models.BinaryField()

    def __str__(self) -> str:
        return f"mail {self.pk}"
