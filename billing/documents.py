"""Dated versions: which of several applies at a moment."""

from __future__ import annotations

import bisect
import contextlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Generic, Protocol, TypeVar

import numpy as np
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from billing.errors import BillingError
from topics.events import CONTROL_CHARACTERS, TEXT_BYTES_MAX

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NONE = -1  # the number of "no version yet"


def _written_out(value: object) -> datetime:
    """Pydantic would take a number, or the text of one, for seconds since 1970."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value
    raise ValueError(f"{value!r} is no date and time with offset, such as 2026-01-01T00:00:00Z")


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]


def _one_line(text: str) -> str:
    if CONTROL_CHARACTERS.search(text) or len(text.encode()) > TEXT_BYTES_MAX:
        raise ValueError(f"{text!r} is no name: it is one line, of at most {TEXT_BYTES_MAX} bytes")
    return text


Name = Annotated[str, Field(min_length=1), AfterValidator(_one_line)]  # what can stand in an event, and in the ledger


class Dated(Protocol):
    """A version of a book."""

    @property
    def version(self) -> str: ...

    @property
    def effective_from(self) -> datetime: ...

    @property
    def retroactive(self) -> bool: ...


T = TypeVar("T", bound=Dated)


class BookError(BillingError):
    """A book cannot be used; names file and entry, says what is wrong and what to do."""


class Versions(Generic[T]):
    """Versions in order of effective_from; at a time t the one with the greatest effective_from <= t applies.

    `retroactive` holds those that never apply by themselves: past usage is rated again with them, by name."""

    def __init__(self, versions: Sequence[T]) -> None:
        self.versions = tuple(
            sorted((each for each in versions if not each.retroactive), key=lambda version: version.effective_from)
        )
        self.retroactive = tuple(each for each in versions if each.retroactive)
        for before, after in zip(self.versions, self.versions[1:], strict=False):
            if before.effective_from == after.effective_from:
                raise BookError(
                    f"versions {before.version} and {after.version} both start at {after.effective_from.isoformat()}: "
                    "only one version can apply at a time"
                )
        for name, count in Counter(version.version for version in versions).items():
            if count > 1:
                raise BookError(f"version {name} stands in two files: give each version a name of its own")
        self.starts = np.array(
            [(version.effective_from - EPOCH) // timedelta(microseconds=1) for version in self.versions], dtype=np.int64
        )

    def numbers(self, event_times: np.ndarray) -> np.ndarray:
        """For each time (µs since 1970) the number of its version in `versions`, NONE before the first."""
        return np.searchsorted(self.starts, event_times, side="right") - 1

    def overlaps(self, number: int, start: datetime, end: datetime | None) -> bool:
        """Whether version `number` applies at some time in [start, end), end None meaning for ever."""
        following = self.versions[number + 1 :][:1]
        begins = self.versions[number].effective_from
        return (end is None or begins < end) and all(start < after.effective_from for after in following)

    def named(self, version: str) -> T | None:
        """The version of this name, whether it applies by itself or not."""
        return next((each for each in (*self.versions, *self.retroactive) if each.version == version), None)

    def at(self, moment: datetime) -> T | None:
        """The version that applies at `moment`."""
        number = bisect.bisect_right([version.effective_from for version in self.versions], moment) - 1
        return None if number == NONE else self.versions[number]
