"""Benchmarks, in the settings of the tests' host. None of them fails because a machine is slow."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()
