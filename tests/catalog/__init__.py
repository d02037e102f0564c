"""Tests of ``credit_pathways.catalog``."""
