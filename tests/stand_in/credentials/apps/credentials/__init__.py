"""App ``credentials``."""
