"""Tests of credit_pathways, a module for each module of the package."""
