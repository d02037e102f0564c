"""Open edX Credentials as the host (ADR 0016). The modules beside this one are all that imports it."""
