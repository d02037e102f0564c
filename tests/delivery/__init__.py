"""Tests of ``credit_pathways.delivery``."""
