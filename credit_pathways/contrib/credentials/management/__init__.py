"""Management commands that only Open edX Credentials has."""
