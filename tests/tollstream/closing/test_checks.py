"""What stands in the way of closing: said before anything is written, accepted by name, and then on record."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing.periods import PeriodError
from gateway.emitter import EmitterSetupError
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.clickhouse.writer import write_rows
from sinks.closings import CLOSING_JOURNAL, Progress
from sinks.rerates import Partition
from tests.support import rows
from tests.support.closing_desk import JANUARY, ClosingDesk
from tests.support.memory_log import MemoryLog
from tests.support.rows import checkpoint_row, totals_of
from tollstream.closing.refusal import CloseRefusedError

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


class Flushing(ClickHouseStatementStore):
    """A worker stores a row whenever somebody has looked how far it is."""

    def __init__(self, desk: ClosingDesk) -> None:
        super().__init__(desk.client)
        self._desk = desk

    async def read_progress(self) -> dict[Partition, Progress]:
        found = await super().read_progress()
        await asyncio.to_thread(self._desk.store_rows, self._desk.usage("globex", FEBRUARY), newest=FEBRUARY)
        return found


async def refused(desk: ClosingDesk, label: str, sentence: str, *accepts: str) -> None:
    """Closing is refused with this sentence, and nothing is on record."""
    before = await desk.store.read_journal(CLOSING_JOURNAL, {"builder": desk.builder})
    with pytest.raises(CloseRefusedError, match=sentence):
        await desk.close(label, *accepts)
    assert await desk.store.read_journal(CLOSING_JOURNAL, {"builder": desk.builder}) == before


async def test_a_partition_that_is_not_stored_to_its_end_is_named(desk: ClosingDesk) -> None:
    desk.store_rows(desk.usage("globex", JANUARY + timedelta(days=3)))
    desk.ends = {(1, 0): 40, (1, 3): 7}
    await refused(
        desk,
        "2026-01",
        r"lags behind the end of 2026-01, 2026-02-01T00:00:00Z: partition 0 of epoch 1 at offset 1 of 40, with records "
        r"until 2026-01-04T00:00:00Z, partition 3 of epoch 1 at offset 0 of 7\. .*--accept-lag --by NAME --reason TEXT",
    )
    result = await desk.close("2026-01", "lag")
    assert result.entry.overrides["lag"]["by"] == "ada"
    assert result.entry.overrides["lag"]["reason"] == "a test"
    assert "partition 3 of epoch 1 at offset 0 of 7" in result.entry.overrides["lag"]["found"]


async def test_a_partition_that_moves_does_not_lag_once_it_has_records_of_the_next_period(desk: ClosingDesk) -> None:
    desk.store_rows(desk.usage("globex", JANUARY), newest=FEBRUARY)
    desk.ends = {(1, 0): 40}
    made = replace(desk.installation(), store=Flushing(desk))
    desk.installation = lambda: made  # type: ignore[method-assign]
    assert (await desk.close("2026-01")).entry.statements == 1


async def test_records_that_wait_and_that_nobody_stores_may_be_of_the_period(desk: ClosingDesk) -> None:
    desk.store_rows(desk.usage("globex", JANUARY), newest=FEBRUARY)
    desk.ends = {(1, 0): 40}
    await refused(
        desk,
        "2026-01",
        r"Ingestion stands still: partition 0 of epoch 1 at offset 1 of 40, with records until 2026-02-01T00:00:00Z, "
        r"and for 0\.5 s none of it was stored\. It may be usage of 2026-01: start workers, .*--accept-lag",
    )
    assert (await desk.close("2026-01", "lag")).entry.statements == 1


async def test_control_records_at_the_end_of_the_log_wait_for_nobody(desk: ClosingDesk) -> None:
    desk.store_rows(desk.usage("globex", JANUARY), newest=FEBRUARY)
    desk.ends, desk.records = {(1, 0): 2}, False
    assert (await desk.close("2026-01")).entry.statements == 1


async def test_a_log_that_does_not_say_where_it_ends_may_lag(desk: ClosingDesk) -> None:
    desk.store_rows(desk.usage("globex", JANUARY))

    def nobody() -> dict[tuple[int, int], int]:
        raise EmitterSetupError("Kafka at nowhere does not answer.")

    made = replace(desk.installation(), log=MemoryLog(nobody))
    desk.installation = lambda: made  # type: ignore[method-assign]
    await refused(desk, "2026-01", "not known whether all usage of 2026-01 is stored: Kafka at nowhere does not answer")
    assert (await desk.close("2026-01", "lag")).entry.statements == 1


async def test_usage_that_waits_for_a_price_is_counted_by_model(desk: ClosingDesk) -> None:
    desk.store_rows(desk.usage("globex", JANUARY), *(desk.waiting("globex", JANUARY) for _ in range(2)))
    await refused(desk, "2026-01", r"2 events of 2026-01 wait for a price \(2 of openai/gpt-a\).*--accept-unpriced")
    await refused(desk, "2026-01", "2 events of 2026-01 wait", "lag")
    assert (await desk.close("2026-01", "unpriced")).entry.statements == 1


async def test_usage_that_waits_in_another_period_is_nobodys_business(desk: ClosingDesk) -> None:
    desk.store_rows(desk.usage("globex", JANUARY), desk.waiting("globex", FEBRUARY))
    assert (await desk.close("2026-01")).entry.statements == 1


async def test_a_ledger_that_its_totals_do_not_have_is_found_to_the_last_digit(desk: ClosingDesk) -> None:
    usage = desk.usage("globex", JANUARY, "1.000000000004")
    desk.store_rows(usage)
    wrong = dict(usage, customer_charge=usage["customer_charge"] - usage["builder_earnings"])
    wrong["builder_earnings"] = usage["builder_earnings"] * 0
    wrong["source_offset"] = 5
    write_rows(desk.client, "usage_totals", rows.totals(totals_of([wrong])))
    write_rows(desk.client, "checkpoints", rows.checkpoints([checkpoint_row(6, max_record_time=FEBRUARY)]))
    await refused(
        desk,
        "2026-01",
        r"Ledger and totals of 2026-01 are apart on 1 lines, by 1\.00000000000\d USD.*--accept-residual",
    )
    result = await desk.close("2026-01", "residual")
    assert set(result.entry.overrides) == {"residual"}


async def test_beginning_after_the_first_usage_is_asked_about_once(desk: ClosingDesk) -> None:
    desk.store_rows(desk.usage("globex", JANUARY), desk.usage("globex", FEBRUARY))
    await refused(desk, "2026-02", "usage of 2026-01-01T00:00:00Z and later, before 2026-02, the first period")
    assert (await desk.close("2026-02", "earlier")).entry.statements == 1
    assert (await desk.close("2026-03")).entry.overrides == {}


async def test_usage_that_comes_late_for_the_time_before_the_first_period_is_asked_about_again(
    desk: ClosingDesk,
) -> None:
    desk.store_rows(desk.usage("globex", FEBRUARY))
    await desk.close("2026-02")
    desk.store_rows(desk.usage("globex", JANUARY + timedelta(days=30)))
    await refused(desk, "2026-03", "usage of 2026-01-31T00:00:00Z and later, before 2026-02, the first period")
    assert set((await desk.close("2026-03", "earlier")).entry.overrides) == {"earlier"}
    assert (await desk.close("2026-04")).entry.overrides == {}


async def test_periods_are_closed_one_after_the_other_and_not_before_they_end(desk: ClosingDesk) -> None:
    desk.store_rows(desk.usage("globex", JANUARY))
    await desk.close("2026-01")
    await refused(desk, "2026-03", "2026-01 is the last that is closed, so close 2026-02 first")
    await refused(desk, "2025-12", "begins before 2026-01 ends, which is closed")
    now = await desk.store.clock()
    await refused(desk, f"{now:%Y-%m}", r"runs until .*`tollstream balance` shows what stands so far")
    with pytest.raises(PeriodError, match="a month is written like 2026-10"):
        await desk.close("2026-13")


async def test_a_zone_that_cuts_windows_is_refused_with_lengths_that_would_do(desk: ClosingDesk) -> None:
    await desk.plan("globex", zone="Asia/Kolkata")
    desk.store_rows(desk.usage("globex", JANUARY))
    await refused(
        desk, "2026-01", "which cuts windows of 3600 seconds: .* count in windows of 1800, 900, 300, 60 seconds"
    )


async def test_weeks_and_zones_are_closed_as_the_plan_book_cuts_them(desk: ClosingDesk) -> None:
    await desk.plan(kind="week", zone="Europe/Madrid")
    monday = datetime(2026, 1, 4, 23, tzinfo=UTC)  # midnight in Madrid
    desk.store_rows(
        desk.usage("globex", monday - timedelta(hours=1), "1"),
        desk.usage("globex", monday, "2"),
        desk.usage("globex", monday + timedelta(days=7, hours=-1), "4"),
        desk.usage("globex", monday + timedelta(days=7), "8"),
    )
    result = await desk.close("2026-W02", "earlier")
    assert (result.entry.period.start, result.entry.sums["USD"]["net"]) == (monday, Decimal(6))
    assert (await desk.close("2026-W03")).entry.sums["USD"]["net"] == Decimal(8)
