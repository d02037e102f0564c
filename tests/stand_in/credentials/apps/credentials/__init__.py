"""The app ``credentials``."""
