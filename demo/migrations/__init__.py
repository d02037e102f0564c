"""Migrations of the demo's tables."""
