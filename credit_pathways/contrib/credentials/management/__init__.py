"""Management commands for Open edX Credentials."""
