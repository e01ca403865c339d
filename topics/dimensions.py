"""Distinct sets of tags, numbered: a set is checked, hashed and addressed once, not once per event.

Numbers are valid until `reset`, which a decoder calls between blocks when there are too many: a producer that sends
another tag with every event is slow, but does not fill the memory.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from topics.block import DIMENSION_COLUMNS, DIMENSION_SCHEMA, Kind
from topics.events import CONTROL_CHARACTERS, TEXT_BYTES_MAX, Mode, Route, Status, UsageSource
from topics.identity import netstring
from topics.partitioner import partition_for
from topics.payload import tags_digest

Tags = tuple[str, ...]  # in the order of DIMENSION_COLUMNS
UNUSABLE = -1  # the number of a set of tags that no usage event may have
CHOICES: Mapping[str, frozenset[str]] = {
    name: frozenset(choices)
    for name, choices in {"mode": Mode, "route": Route, "status": Status, "usage_source": UsageSource}.items()
}
_SOURCE, _BUILDER, _TENANT = (DIMENSION_COLUMNS.index(name) for name in ("source", "builder", "tenant"))
_CHOICE_PLACES = tuple((DIMENSION_COLUMNS.index(name), words) for name, words in CHOICES.items())


class Dimensions:
    """The sets of tags seen so far, and what is known of each."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self.reset()

    def reset(self) -> None:
        """Forget all numbers."""
        self._numbers: dict[Tags, int] = {}
        self._tags: list[Tags] = []
        self._digests: list[int] = []
        self.keys: list[bytes] = []  # the Kafka key of the events with these tags
        self.homes: list[int] = []  # and its partition
        self._source_prefixes: list[str] = []  # netstring of the source, for the identity

    def __len__(self) -> int:
        return len(self._tags)

    def usage_number(self, tags: Tags) -> int:
        """The number of a usage event's tags, or UNUSABLE if the contract refuses them (topics/events.py)."""
        number = self._numbers.get(tags)
        if number is None:
            if not _usable(tags):
                return UNUSABLE
            number = self.number(tags)
        return number

    def number(self, tags: Tags) -> int:
        """The number of tags that a model has already accepted."""
        number = self._numbers.get(tags)
        if number is None:
            number = self._numbers[tags] = len(self._tags)
            key = f"{tags[_BUILDER]}/{tags[_TENANT]}".encode()
            self._tags.append(tags)
            self._digests.append(tags_digest(Kind.USAGE, tags))
            self.keys.append(key)
            self.homes.append(partition_for(key, self._partitions))
            self._source_prefixes.append(netstring(tags[_SOURCE]).decode())
        return number

    def tags(self, number: int) -> Tags:
        """The tags of a number."""
        return self._tags[number]

    def usage_digests(self, numbers: np.ndarray) -> np.ndarray:
        """The digests of these numbers as tags of usage events, uint64."""
        return np.array([self._digests[number] for number in numbers.tolist()], dtype=np.uint64)

    def source_prefixes(self, numbers: np.ndarray) -> pl.Series:
        """The netstrings of these numbers' sources."""
        return pl.Series([self._source_prefixes[number] for number in numbers.tolist()], dtype=pl.String)

    def frame(self, numbers: np.ndarray) -> pl.DataFrame:
        """The tags of these numbers, a row each."""
        rows = [self._tags[number] for number in numbers.tolist()]
        columns = list(zip(*rows, strict=True)) or [()] * len(DIMENSION_COLUMNS)
        return pl.DataFrame(dict(zip(DIMENSION_COLUMNS, columns, strict=True)), schema=DIMENSION_SCHEMA)


def _usable(tags: Tags) -> bool:
    builder, tenant = tags[_BUILDER], tags[_TENANT]
    if not tags[_SOURCE] or not builder or not tenant or "/" in builder or "/" in tenant:
        return False
    if any(tags[place] not in words for place, words in _CHOICE_PLACES):
        return False
    # A tag of at most 64 characters cannot exceed 256 bytes; the others are measured.
    if any(len(tag) > TEXT_BYTES_MAX // 4 and len(tag.encode()) > TEXT_BYTES_MAX for tag in tags):
        return False
    return CONTROL_CHARACTERS.search("".join(tags)) is None
