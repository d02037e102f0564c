"""Tests of credit_pathways. They mirror the modules of the package."""
