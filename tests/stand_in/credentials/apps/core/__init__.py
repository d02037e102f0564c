"""The app ``core``."""
