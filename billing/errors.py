"""The errors of billing: each says what was wrong, where, and what to do."""

from __future__ import annotations


class BillingError(Exception):
    """Base of every error that billing raises; its text is a sentence for the person who can act on it."""
