"""Integrations with particular hosts. Nothing else in the app imports a host."""
