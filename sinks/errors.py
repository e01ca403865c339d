"""What can go wrong with a store, sorted by the one question a caller has: try again, or stop?

`SinkTransientError`  nothing is known to be wrong with the rows: keep them, wait, write them again. Every write is
                      idempotent, so a write that may or may not have happened is simply made again.
`SinkTerminalError`   the same write will fail every time: stop, keep the Kafka offsets, tell the operator.

Either way no offset is committed, so neither loses a row. Facts are attributes; the message is one sentence of what
happened followed by what the operator can do.
"""

from __future__ import annotations


class SinkError(Exception):
    """A store did not do what it was asked; always one of the two subclasses below."""


class SinkTransientError(SinkError):
    """Write the same rows again later; the outcome of this attempt may be unknown."""


class SinkTerminalError(SinkError):
    """The same call will fail every time: stop, keep the offsets, page."""


class StoreUnreachableError(SinkTransientError):
    """No connection, or one that broke: the request may or may not have been carried out."""

    def __init__(self, *, url: str, doing: str, cause: str) -> None:
        self.url, self.doing, self.cause = url, doing, cause
        super().__init__(
            f"The store at {url} cannot be reached while {doing} ({cause}). "
            "Nothing is lost: check that the server runs and that TOLLSTREAM_CLICKHOUSE_URL names it."
        )


class StoreTimeoutError(SinkTransientError):
    """The store did not answer in time: the request may or may not have been carried out."""

    def __init__(self, *, url: str, doing: str, seconds: int) -> None:
        self.url, self.doing, self.seconds = url, doing, seconds
        super().__init__(
            f"The store at {url} did not answer within {seconds} s while {doing}. "
            "Nothing is lost: look for a hung or overloaded server; the limit is timeout_seconds."
        )


class StoreBusyError(SinkTransientError):
    """The store answered that it cannot do it now (memory, parts, queries, keeper), or with a code we do not know."""

    def __init__(self, *, doing: str, code: int | None, detail: str) -> None:
        self.doing, self.code, self.detail = doing, code, detail
        super().__init__(
            f"The store could not go on while {doing} (code {code}: {detail}). "
            "Nothing is lost: it is tried again; if it stays, look at the server's log for that code."
        )


class SchemaMissingError(SinkTerminalError):
    """A database, table or column that this version needs is not there."""

    def __init__(self, *, doing: str, code: int, detail: str) -> None:
        self.doing, self.code, self.detail = doing, code, detail
        super().__init__(
            f"The store lacks something this version needs while {doing} (code {code}: {detail}). "
            "Run `tollstream schema migrate`, then start the worker again."
        )


class CredentialsRefusedError(SinkTerminalError):
    """The store knows us and says no: user, password or grants."""

    def __init__(self, *, doing: str, code: int, user: str) -> None:
        self.doing, self.code, self.user = doing, code, user
        super().__init__(
            f"The store refused the user {user!r} while {doing} (code {code}). "
            "Check the user, its password and its grants; nothing was committed."
        )


class StoreRefusedError(SinkTerminalError):
    """The store will refuse this request every time: a type, a syntax or a limit that waiting does not mend."""

    def __init__(self, *, doing: str, code: int, detail: str) -> None:
        self.doing, self.code, self.detail = doing, code, detail
        super().__init__(
            f"The store refused the request while {doing} (code {code}: {detail}). "
            "Nothing was committed; compare the versions of worker and schema with `tollstream schema show`."
        )


class RowsRefusedError(SinkTerminalError):
    """The rows do not have the columns of their table: a defect in the caller, caught before anything is written."""

    def __init__(self, *, table: str, detail: str) -> None:
        self.table, self.detail = table, detail
        super().__init__(f"{table}: the rows do not fit ({detail}). Nothing was written; this is a defect, report it.")


class GrantRefusedError(SinkTerminalError):
    """A backfill grant that would not be auditable, or would change what has already been judged."""

    def __init__(self, *, grant_id: str, detail: str) -> None:
        self.grant_id, self.detail = grant_id, detail
        super().__init__(f"Backfill grant {grant_id!r} is refused: {detail}. Nothing was recorded.")


class PublicationRefusedError(SinkTerminalError):
    """A book that cannot be published: nothing was recorded, or what was recorded does not stand."""

    def __init__(self, *, kind: str, detail: str) -> None:
        self.kind, self.detail = kind, detail
        self.published: tuple[str, ...] = ()  # versions of the same call that do stand
        super().__init__(detail)

    def __str__(self) -> str:
        done = f"Published before that: {', '.join(self.published)}." if self.published else "Nothing was published."
        return f"{self.detail} {done}"


class PublicationOvertakenError(PublicationRefusedError):
    """Somebody else published in the same moment: what was compared with is not the newest any more."""


class PublicationUnknownError(SinkTransientError):
    """The store did not say whether it recorded the book; publishing again finds out, and does it once."""

    def __init__(self, *, kind: str, cause: str) -> None:
        self.kind, self.cause = kind, cause
        super().__init__(
            f"It is not known whether the {kind} were published: {cause} Publish them again: what is there already "
            "stays as it is."
        )


class StoreConfigurationError(SinkTerminalError):
    """A setting of the store that cannot be right, found before anything is sent."""

    def __init__(self, *, setting: str, value: str, detail: str) -> None:
        self.setting, self.value, self.detail = setting, value, detail
        super().__init__(f"{setting} = {value!r}: {detail}.")
