"""Measurements. Nothing here fails because a machine is slow."""
