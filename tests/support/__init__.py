"""What the tests use: servers, processes, channels and receivers of the tests, and readers of pages."""
