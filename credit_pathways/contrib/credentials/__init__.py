"""Integration with Open edX Credentials (ADR 0016). Only the modules of this package import Credentials."""
