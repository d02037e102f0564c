"""Signals that the app sends. It connects no receivers."""

from django.dispatch import Signal

#: Sent once for each credit request, after the rows of a click are committed and before their emails are sent.
#: ``sender`` is ``UserCreditPathway`` and ``request`` is the row. Of exceptions in receivers only the class is logged.
credit_requested = Signal()
