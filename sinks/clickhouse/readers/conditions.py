"""Parts of WHERE that several questions share. Only integers and hexadecimal digits are ever written into SQL text."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime


def of_partitions(topic_epoch: int, partitions: Collection[int]) -> str:
    """Rows of these partitions of one epoch."""
    return f"topic_epoch = {int(topic_epoch)} AND source_partition IN ({_listed(partitions)})"


def of_partitions_or_earlier_epoch(topic_epoch: int, partitions: Collection[int]) -> str:
    """Rows of these partitions, and of any partition of an epoch before: keys may have moved between epochs."""
    return f"(({of_partitions(topic_epoch, partitions)}) OR topic_epoch < {int(topic_epoch)})"


def among(column: str, values: Iterable[int]) -> str:
    """`column` is one of `values`."""
    return f"{column} IN ({_listed(values)})"


def moment(time: datetime) -> str:
    """A DateTime64(6) literal of an aware time, to the microsecond."""
    return f"toDateTime64('{time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}', 6, 'UTC')"


def window(start: datetime) -> str:
    """A DateTime literal of a window's start."""
    return f"toDateTime({int(start.timestamp())}, 'UTC')"


def text(value: str | bytes) -> str:
    """A String literal, spelled in hexadecimal: nothing in it can be read as SQL."""
    return f"unhex('{(value.encode() if isinstance(value, str) else value).hex()}')"


def _listed(values: Iterable[int]) -> str:
    return ",".join(str(int(value)) for value in values) or "NULL"  # IN (NULL) holds for nothing
