"""
A host with unusual settings, all at once, in which the app keeps its promises.

``make test`` runs the tests of the contract a second time with ``tests.unusual.settings``.
"""
