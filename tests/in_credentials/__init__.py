"""Tests that run beside the stand-in of Credentials, and in the real one (``make test-in-credentials``)."""
