"""Tests of ``credit_pathways.admin``."""
