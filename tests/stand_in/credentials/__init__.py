"""A stand-in of Open edX Credentials: the names that the app uses of it, in their real shapes, and nothing else."""
