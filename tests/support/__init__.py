"""What several tests share: servers, processes and edx-ace plug-ins for tests, and parsers of pages."""
