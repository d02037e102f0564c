"""Sending the email of a credit request, and recording truthfully whether it was sent."""
