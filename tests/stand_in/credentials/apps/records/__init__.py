"""The app ``records``."""
