"""Sphinx settings. The modules that autodoc reads need a set-up Django: the demo's."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")
django.setup()

project = "credit_pathways"
copyright = "the authors of credit_pathways"
extensions = ["sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_copy_source = False
html_theme = "alabaster"
html_theme_options = {"description": "Learners ask universities for credit", "page_width": "70rem"}
nitpicky = False
