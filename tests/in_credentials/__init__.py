"""Tests that run next to the stand-in for Credentials, and in the real Credentials (``make test-in-credentials``)."""
