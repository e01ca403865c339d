"""Errors that are answered with a sentence, never with a traceback.

By house style the message of every error class of ours says what happened and what to do. So the command line prints
`str(error)` and exits with 2 for each of them, for operating system errors, and for whatever carries an
`operator_message`. Anything else is a defect and keeps its traceback; TOLLSTREAM_DEBUG=1 shows all tracebacks.
"""

from __future__ import annotations

OURS = frozenset({"topics", "billing", "sinks", "agents", "gateway", "deploy", "tollstream", "bench"})


class UserError(Exception):
    """Whoever started the command can mend this: the message says what is wrong and what to do."""


class SettingsError(UserError):
    """A setting has a value it cannot have, or a name that does not exist; names the valid ones."""


class ShadowedPackageError(UserError):
    """Python would import another distribution's package under one of our names."""


def operator_sentence(error: BaseException) -> str | None:
    """What to tell the person at the terminal, or None where only a traceback helps (a defect)."""
    if isinstance(error, BaseExceptionGroup):
        sentences = [operator_sentence(each) for each in error.exceptions]
        return " ".join(dict.fromkeys(filter(None, sentences))) if all(sentences) else None
    message = getattr(error, "operator_message", None)
    if message is not None:
        return str(message() if callable(message) else message)
    if type(error).__module__.split(".")[0] in OURS:
        return str(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return None
