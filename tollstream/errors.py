"""Errors that are answered with a sentence, never with a traceback.

The command line prints `str(error)` and exits with 2 for every `UserError`, and for every other exception that carries
an `operator_message`. TOLLSTREAM_DEBUG=1 shows the traceback as well.
"""

from __future__ import annotations

import sys

# Errors of other packages whose message is written for an operator; looked up only in modules already imported.
KNOWN_ERRORS: dict[str, tuple[str, ...]] = {
    "billing.errors": ("BillingError",),
    "deploy.embedded.errors": ("StackError",),
    "sinks.errors": ("SinkTerminalError", "SinkTransientError"),
    "topics.errors": ("TopicError", "CatalogueError"),
}


class UserError(Exception):
    """Whoever started the command can mend this: the message says what is wrong and what to do."""


class SettingsError(UserError):
    """A setting has a value it cannot have, or a name that does not exist; names the valid ones."""


class ShadowedPackageError(UserError):
    """Python would import another distribution's package under one of our names."""


def operator_sentence(error: BaseException) -> str | None:
    """What to tell the person at the terminal, or None where only a traceback helps (a bug of ours)."""
    if isinstance(error, BaseExceptionGroup):
        sentences = [operator_sentence(each) for each in error.exceptions]
        return " ".join(dict.fromkeys(filter(None, sentences))) if all(sentences) else None
    message = getattr(error, "operator_message", None)
    if message is not None:
        return str(message() if callable(message) else message)
    if isinstance(error, (UserError, *_known_errors())):
        return str(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return None


def _known_errors() -> tuple[type[Exception], ...]:
    found: list[type[Exception]] = []
    for module, names in KNOWN_ERRORS.items():
        loaded = sys.modules.get(module)
        found.extend(getattr(loaded, name) for name in names if hasattr(loaded, name))
    return tuple(found)
