"""Tests of ``credit_pathways.rest_api``."""
