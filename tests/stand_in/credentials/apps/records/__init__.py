"""App ``records``."""
