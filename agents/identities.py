"""Which identities the log has already held, per partition: a filter over the whole horizon, the exact recent ones.

Question  "at which place, with which payload, was this (source, id) first accepted?" for 50,000 identities at a time.
Layers    1. `IdentityFilter`, a Bloom filter of every identity within the dedup horizon: a "no" is certain.
          2. `RecentIdentities`, exact: what this worker accepted lately, the most likely to come again.
          3. the ledger, exact: asked (one query a block) only for what the filter suspects and the recent do not know.
Memory    4 bytes an identity for the filter, 48 for the bounded recent ones; nothing grows with the event rate.
Why       Bucketing exact tables by event hour would miss a retry that was stamped with another time, and bill it
          twice. See docs/decisions/004-identity-filter.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SEGMENT_IDENTITIES = 1 << 20
BITS_PER_IDENTITY = 32
PROBES = 10  # (1 - e^(-10/32))^10: two false suspicions in a million, and half the cost of the optimum of 22 probes
RECENT_IDENTITIES_MAX = 1 << 18  # per partition
RECENT_RUNS_MAX = 16


class IdentityFilter:
    """Bloom filter in segments of a fixed size; identities are (n, 2) uint64, already well mixed hashes."""

    def __init__(self, segment_identities: int = SEGMENT_IDENTITIES) -> None:
        self._capacity = segment_identities
        # A power of two, so that a position is taken with a mask.
        self._bits = 1 << math.ceil(math.log2(segment_identities * BITS_PER_IDENTITY))
        self._segments: list[np.ndarray] = []
        self._filled = 0  # identities in the last segment

    def add(self, identities: np.ndarray) -> None:
        start = 0
        while start < len(identities):
            if not self._segments or self._filled >= self._capacity:
                self._segments.append(np.zeros(self._bits >> 3, dtype=np.uint8))
                self._filled = 0
            part = identities[start : start + self._capacity - self._filled]
            segment = self._segments[-1]
            for probe in range(PROBES):
                positions = self._positions(part, probe)
                np.bitwise_or.at(segment, positions >> np.uint64(3), _bit(positions))
            self._filled += len(part)
            start += len(part)

    def suspects(self, identities: np.ndarray) -> np.ndarray:
        """Row numbers of identities that may have been added; all others certainly were not."""
        found: list[np.ndarray] = []
        for segment in self._segments:
            left = np.arange(len(identities))
            for probe in range(PROBES):
                positions = self._positions(identities[left], probe)
                left = left[(segment[positions >> np.uint64(3)] & _bit(positions)) != 0]
                if not len(left):
                    break
            found.append(left)
        return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)

    def _positions(self, identities: np.ndarray, probe: int) -> np.ndarray:
        # Double hashing (Kirsch and Mitzenmacher 2006) over the two halves of the identity; the step is made odd.
        step = identities[:, 0] | np.uint64(1)
        positions: np.ndarray = (identities[:, 1] + np.uint64(probe) * step) & np.uint64(self._bits - 1)
        return positions


def _bit(positions: np.ndarray) -> np.ndarray:
    return np.left_shift(np.uint8(1), (positions & np.uint64(7)).astype(np.uint8))


@dataclass(frozen=True, slots=True)
class Accepted:
    """Accepted events of one partition as columns: (n, 2) identities, payloads, places (offset, index), times (µs)."""

    identities: np.ndarray
    payloads: np.ndarray
    offsets: np.ndarray
    indexes: np.ndarray
    event_times: np.ndarray

    def __len__(self) -> int:
        return len(self.payloads)

    def take(self, rows: np.ndarray) -> Accepted:
        return Accepted(
            self.identities[rows],
            self.payloads[rows],
            self.offsets[rows],
            self.indexes[rows],
            self.event_times[rows],
        )

    @staticmethod
    def concatenate(parts: list[Accepted]) -> Accepted:
        return Accepted(
            np.concatenate([part.identities for part in parts]),
            np.concatenate([part.payloads for part in parts]),
            np.concatenate([part.offsets for part in parts]),
            np.concatenate([part.indexes for part in parts]),
            np.concatenate([part.event_times for part in parts]),
        )


class RecentIdentities:
    """The identities accepted last, exact, in runs sorted by the low word; the oldest run is dropped first."""

    def __init__(self, identities_max: int = RECENT_IDENTITIES_MAX) -> None:
        self._max = identities_max
        self._runs: list[Accepted] = []

    def add(self, accepted: Accepted) -> None:
        if not len(accepted):
            return
        self._runs.append(accepted.take(np.argsort(accepted.identities[:, 1], kind="stable")))
        if len(self._runs) > RECENT_RUNS_MAX:
            self._merge_smallest_neighbours()
        while len(self._runs) > 1 and sum(map(len, self._runs)) > self._max:
            del self._runs[0]

    def find(self, identities: np.ndarray) -> tuple[np.ndarray, Accepted]:
        """Row numbers of `identities` that are known here, and beside each what was accepted."""
        rows: list[np.ndarray] = []
        parts: list[Accepted] = []
        for run in self._runs:
            wanted, held = _match(identities, run.identities)
            rows.append(wanted)
            parts.append(run.take(held))
        if not parts:
            empty = np.empty(0, dtype=np.int64)
            nothing = Accepted(np.empty((0, 2), np.uint64), np.empty(0, np.uint64), empty, empty, empty)
            return empty, nothing
        return np.concatenate(rows), Accepted.concatenate(parts)

    def _merge_smallest_neighbours(self) -> None:
        sizes = [len(one) + len(other) for one, other in zip(self._runs, self._runs[1:], strict=False)]
        at = sizes.index(min(sizes))
        merged = Accepted.concatenate(self._runs[at : at + 2])
        self._runs[at : at + 2] = [merged.take(np.argsort(merged.identities[:, 1], kind="stable"))]


def _match(wanted: np.ndarray, held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (row of wanted, row of held) with equal identities; `held` is sorted by its low word."""
    low = held[:, 1]
    first = np.searchsorted(low, wanted[:, 1], side="left")
    last = np.searchsorted(low, wanted[:, 1], side="right")
    counts = last - first
    rows = np.repeat(np.arange(len(wanted)), counts)
    starts = np.repeat(first, counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    held_rows = starts + within
    same = held[held_rows, 0] == wanted[rows, 0]
    return rows[same], held_rows[same]
