"""Errors that are answered with a sentence, never with a traceback.

The command line prints `str(error)` and exits with 2 for every `UserError`, and for every other exception that carries
an `operator_message`. TOLLSTREAM_DEBUG=1 shows the traceback as well.
"""

from __future__ import annotations


class UserError(Exception):
    """Whoever started the command can mend this: the message says what is wrong and what to do."""


class SettingsError(UserError):
    """A setting has a value it cannot have, or a name that does not exist; names the valid ones."""


class ShadowedPackageError(UserError):
    """Python would import another distribution's package under one of our names."""
