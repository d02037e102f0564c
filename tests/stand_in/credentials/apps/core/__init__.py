"""App ``core``."""
