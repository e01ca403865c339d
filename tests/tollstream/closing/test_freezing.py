"""The freeze while workers go on writing: the copy is the ledger below its cut, or what it missed comes next time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sinks.closings import CLOSED
from tests.support.closing_desk import JANUARY, ClosingDesk
from tollstream.closing import freezing
from tollstream.closing.told import Told

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


class Writing(Told):
    """Stores something after a copy was made, so many times."""

    def __init__(self, store: Callable[[int], None], times: int) -> None:
        self._store, self._times, self.copies = store, times, 0

    async def step(self, name: str) -> None:
        if name.startswith("copied"):
            self.copies += 1
            if self.copies <= self._times:
                self._store(self.copies)


async def test_a_flush_between_the_cut_and_the_copy_makes_another_copy(desk: ClosingDesk) -> None:
    desk.store_rows(desk.usage("globex", JANUARY, "1.00"))
    told = Writing(lambda copy: desk.store_rows(desk.usage("globex", JANUARY + timedelta(hours=copy), "0.10")), times=2)
    result = await desk.close("2026-01", told=told)
    assert told.copies == 3
    assert result.entry.sums["USD"]["net"] == Decimal("1.20")
    assert result.entry.cut == {(1, 0): 3}
    assert desk.sums("billed_usage") == desk.sums("usage_ledger")


async def test_usage_of_other_periods_is_no_reason_to_copy_again(desk: ClosingDesk) -> None:
    desk.store_rows(desk.usage("globex", JANUARY, "1.00"))
    told = Writing(lambda _: desk.store_rows(desk.usage("globex", FEBRUARY, "9.00")), times=1)
    await desk.close("2026-01", told=told)
    assert told.copies == 1


async def test_where_workers_never_pause_what_the_last_copy_missed_is_billed_once_next_time(
    desk: ClosingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freezing, "ATTEMPTS", 2)
    first = desk.usage("globex", JANUARY, "1.00")
    desk.store_rows(first, desk.usage("zeta", JANUARY, "4.00"))
    told = Writing(
        lambda copy: desk.store_rows(desk.usage("globex", JANUARY + timedelta(hours=copy), "0.10")), times=99
    )
    result = await desk.close("2026-01", told=told)
    assert (result.entry.state, told.copies) == (CLOSED, 2)
    assert result.entry.sums["USD"]["net"] == Decimal("5.10")
    desk.store_rows(desk.void(first))
    february = await desk.close("2026-02")
    assert february.entry.sums["USD"]["net"] == Decimal("-0.90")
    assert desk.sums("billed_usage") == desk.sums("usage_ledger")


async def test_a_copy_with_usage_beyond_its_cut_bills_it_once(
    desk: ClosingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freezing, "ATTEMPTS", 1)
    taken = desk.usage("globex", JANUARY, "1.00")
    desk.store_rows(taken, desk.usage("globex", JANUARY + timedelta(hours=1), "2.00"))
    # The checkpoint lags behind the totals, as it does in the middle of a flush.
    cut = {(1, 0): 1}

    async def before(_: object) -> dict[tuple[int, int], int]:
        return cut

    monkeypatch.setattr(freezing, "read_cut", before)
    await desk.close("2026-01")
    assert desk.sums("billed_usage") == desk.sums("usage_ledger")
    monkeypatch.undo()
    desk.store_rows(desk.void(taken))
    await desk.close("2026-02")
    assert desk.sums("billed_usage") == desk.sums("usage_ledger")


def test_portions_are_bounded_by_totals_and_by_tenants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freezing, "TOTALS", 10)
    monkeypatch.setattr(freezing, "TENANTS", 3)
    assert freezing.portions([]) == [("", "\U0010ffff")]
    assert freezing.portions([("a", 1), ("b", 9), ("c", 1)]) == [("", "b"), ("b\x00", "\U0010ffff")]
    assert [last for _, last in freezing.portions([(name, 1) for name in "abcdefg"])] == ["c", "f", "\U0010ffff"]
