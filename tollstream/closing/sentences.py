"""Words that sentences about closings share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

NAMED = 5  # of many partitions or models so many are named


def some(words: Sequence[str]) -> str:
    """The first of many, and how many more there are."""
    more = f", and {len(words) - NAMED} more" if len(words) > NAMED else ""
    return ", ".join(words[:NAMED]) + more


def moment(time: datetime) -> str:
    """2026-02-01T00:00:00Z."""
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")
