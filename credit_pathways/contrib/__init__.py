"""Particular hosts; nothing else in the app imports them."""
