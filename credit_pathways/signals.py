"""Signals that the app sends. It connects no receiver of its own."""

from django.dispatch import Signal

#: Sent once for each credit request, after its row is committed and before its mail leaves.
#: ``sender`` is ``UserCreditPathway``; ``request`` is the row. An exception in a receiver is logged, not raised.
credit_requested = Signal()
