"""The demo's settings, without the flood guard."""

from demo.settings import *  # noqa: F403

CREDIT_PATHWAYS_REQUEST_RATE = None
