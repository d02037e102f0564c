"""Its apps."""
