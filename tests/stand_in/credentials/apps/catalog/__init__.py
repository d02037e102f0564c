"""The app ``catalog``."""
