"""uuids in URLs."""

from uuid import UUID


class AnyUUIDConverter:
    """A uuid with or without hyphens, in either case; made with hyphens (RFC 9562, section 4)."""

    regex = "[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"

    def to_python(self, value: str) -> UUID:
        """Parse it."""
        return UUID(value)

    def to_url(self, value: UUID | str) -> str:
        """Write it with hyphens."""
        return str(UUID(str(value)))
