"""Keeping a site's programs and pathways the same as their source."""
