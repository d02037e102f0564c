"""Apps of the stand-in."""
