"""User journeys in a real browser."""
