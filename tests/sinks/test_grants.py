"""Backfill grants: audited, and known before they apply."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sinks.contract import BackfillGrant
from sinks.errors import GrantRefusedError
from sinks.grants import record_backfill_grant
from sinks.memory import MemorySink

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "grant_id": "g1",
    "source": "gateway-1",
    "event_time_from": NOW - timedelta(days=60),
    "event_time_to": NOW - timedelta(days=50),
    "valid_from": NOW + timedelta(seconds=60),
    "valid_to": NOW + timedelta(days=1),
    "granted_by": "ada",
    "reason": "gateway was offline",
}


async def test_a_grant_is_recorded_as_it_was_given() -> None:
    sink = MemorySink()
    grant = await record_backfill_grant(sink, **GOOD, now=NOW)
    assert grant == BackfillGrant(**GOOD)
    assert await sink.read_backfill_grants() == [grant]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"valid_from": NOW + timedelta(seconds=59, microseconds=999_999)}, "not 60 s ahead"),
        ({"valid_from": GOOD["valid_to"]}, "valid_from is not before valid_to"),
        ({"event_time_to": GOOD["event_time_from"]}, "event_time_from is not before event_time_to"),
        ({"granted_by": " "}, "granted_by is empty"),
        ({"reason": ""}, "reason is empty"),
        ({"source": ""}, "source is empty"),
        ({"event_time_from": datetime(2026, 1, 1)}, "needs an offset"),  # noqa: DTZ001
    ],
)
async def test_a_grant_that_cannot_be_audited_or_comes_too_late_is_refused(change: dict[str, Any], said: str) -> None:
    sink = MemorySink()
    with pytest.raises(GrantRefusedError, match=said):
        await record_backfill_grant(sink, **GOOD | change, now=NOW)
    assert await sink.read_backfill_grants() == []


async def test_the_same_grant_again_changes_nothing_even_later() -> None:
    sink = MemorySink()
    await record_backfill_grant(sink, **GOOD, now=NOW)
    await record_backfill_grant(sink, **GOOD, now=NOW + timedelta(hours=1))
    assert len(await sink.read_backfill_grants()) == 1


async def test_another_grant_under_the_same_id_is_refused() -> None:
    sink = MemorySink()
    await record_backfill_grant(sink, **GOOD, now=NOW)
    with pytest.raises(GrantRefusedError, match="another grant"):
        await record_backfill_grant(sink, **GOOD | {"source": "gateway-2"}, now=NOW)


async def test_an_id_is_drawn_when_none_is_given() -> None:
    sink = MemorySink()
    for _ in range(2):
        await record_backfill_grant(sink, **GOOD | {"grant_id": ""}, now=NOW)
    assert len({grant.grant_id for grant in await sink.read_backfill_grants()}) == 2
