"""A story told three ways: all of its events in one block, a block for each, or another worker for each."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.desk import Desk
from topics.events import AnyEvent

WAYS = ("one block", "a block each", "a worker each")
way = pytest.mark.parametrize("way", WAYS)
AMOUNTS = ("base_cost", "customer_charge", "provider_reward", "platform_fee", "builder_earnings")


async def outcomes(desk: Desk, way: str, *events: AnyEvent) -> list[str]:
    if way == "one block":
        return await desk.take(*events)
    found: list[str] = []
    for event in events:
        if way == "a worker each":
            await desk.restart()
        found += await desk.take(event)
    return found


def sums(desk: Desk) -> dict[str, Decimal]:
    return {name: sum((row[name] for row in desk.rows() if row[name] is not None), Decimal(0)) for name in AMOUNTS}
