"""App ``catalog``."""
