"""A closing that breaks off after any step, or meets another one, comes to the same statements as one that does not."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.credits import Grant
from sinks.closings import CLOSED, CLOSING_JOURNAL, FROZEN, NUMBERED, PLANNED, WRITTEN, Closing
from sinks.errors import StoreUnreachableError
from tests.support.closing_desk import JANUARY, Breaking, ClosingDesk, CrashedError, Kept
from tests.support.workers import REPOSITORY
from tollstream.closing.refusal import CloseRefusedError
from tollstream.closing.told import Told

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
Snapshot = dict[str, list[tuple[Any, ...]]]


async def two_months(desk: ClosingDesk) -> None:
    """January closed; in February usage, corrections of January, an allowance, a credit, something carried over."""
    usage = [desk.usage(f"tenant-{number}", JANUARY + timedelta(hours=number), "1.50") for number in range(5)]
    await desk.plan("tenant-1", "tenant-2")
    await desk.grant(Grant("gift", "tenant-3", "promotional", "", "USD", Decimal("2.00"), Decimal(0), JANUARY))
    desk.store_rows(*usage)
    await desk.close("2026-01")
    desk.store_rows(
        *(desk.usage(f"tenant-{number}", FEBRUARY + timedelta(hours=number), "0.70") for number in range(1, 5)),
        desk.usage("tenant-0", JANUARY + timedelta(days=3), "0.31"),
        desk.void(usage[3]),
        desk.rerate(usage[4], "0.07"),
    )


@pytest.fixture
async def kept(desk: ClosingDesk) -> AsyncIterator[Kept]:
    """Before February is closed. Two portions: a crash between them, and none more of the same kind."""
    desk.portion = 3
    await two_months(desk)
    with Kept.of(desk) as kept:
        yield kept


async def undisturbed(desk: ClosingDesk) -> tuple[Snapshot, list[str]]:
    """What February comes to, and the steps that lead there."""
    told = Breaking()
    await desk.close("2026-02", told=told)
    return desk.snapshot(), told.names


async def entries(desk: ClosingDesk) -> list[Closing]:
    return await desk.store.read_journal(CLOSING_JOURNAL, {"builder": desk.builder})


@pytest.mark.timeout(900)
async def test_a_crash_after_any_step_and_another_run_write_what_an_undisturbed_run_writes(kept: Kept) -> None:
    expected, steps = await undisturbed(kept.again())
    assert steps[:4] == [PLANNED, "copied 1", FROZEN, NUMBERED]
    assert steps[-2:] == [WRITTEN, CLOSED]
    assert {name.split()[0] for name in steps[4:-2]} == {
        "credit_grants", "credit_draws", "posting_sets", "statement_lines", "statements",
    }  # fmt: skip
    for number, step in enumerate(steps):
        desk = kept.again()
        with pytest.raises(CrashedError, match=step):
            await desk.close("2026-02", told=Breaking(number))
        result = await desk.close("2026-02")
        frozen = number >= steps.index(FROZEN)
        assert (result.resumed or result.stood) == frozen, step
        assert desk.snapshot() == expected, step
        assert await desk.store.read_unbalanced() == []


@pytest.mark.timeout(600)
async def test_a_process_that_is_killed_is_finished_by_the_next_one(kept: Kept) -> None:
    expected, steps = await undisturbed(kept.again())
    for step in ("copied 1", FROZEN, next(name for name in steps if name.startswith("statement_lines"))):
        desk = kept.again()
        killed = await asyncio.to_thread(kill_at, desk, steps.index(step))
        assert killed == -signal.SIGKILL
        assert (await desk.statements(period="2026-02")) == []
        await desk.close("2026-02")
        assert desk.snapshot() == expected, step


def kill_at(desk: ClosingDesk, step: int) -> int:
    """Close in a process that kills itself after a step; its exit code."""
    configuration = desk.client.configuration
    program = f"""
import asyncio, os, signal
from sinks.clickhouse import ClickHouseConfiguration
from sinks.clickhouse.client import Client
from tests.support.closing_desk import Breaking, ClosingDesk
class Killing(Breaking):
    async def step(self, name):
        self.names.append(name)
        if len(self.names) - 1 == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
desk = ClosingDesk(Client.connect(ClickHouseConfiguration({configuration.url!r}, database={configuration.database!r})))
desk.ends = {{(1, 0): {desk.next_offset}}}
asyncio.run(desk.close("2026-02", told=Killing({step})))
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run([sys.executable, "-c", program], env=environment, check=False, timeout=120).returncode


class Meeting(Told):
    """Lets somebody else close the same period when this one has done a step."""

    def __init__(self, desk: ClosingDesk, step: str) -> None:
        self._desk, self._step = desk, step

    async def step(self, name: str) -> None:
        if name == self._step:
            await self._desk.close("2026-02", by="bob")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", [PLANNED, "copied 1"])
async def test_whoever_is_overtaken_before_the_freeze_stops_and_nothing_of_theirs_counts(kept: Kept, step: str) -> None:
    expected, _ = await undisturbed(kept.again())
    desk = kept.again()
    with pytest.raises(CloseRefusedError, match="bob closes acme 2026-02 at this moment, and was faster"):
        await desk.close("2026-02", told=Meeting(desk, step))
    assert desk.snapshot() == expected


@pytest.mark.timeout(600)
async def test_whoever_is_overtaken_after_the_freeze_comes_to_the_same(kept: Kept) -> None:
    expected, steps = await undisturbed(kept.again())
    for step in (FROZEN, NUMBERED, steps[-3], WRITTEN):
        desk = kept.again()
        result = await desk.close("2026-02", told=Meeting(desk, step))
        assert result.entry.state == CLOSED
        assert [entry.state for entry in await entries(desk)].count(CLOSED) == 2
        assert desk.snapshot() == expected, step


@pytest.mark.timeout(600)
async def test_of_several_at_once_one_closes_and_the_numbers_have_no_gap(kept: Kept) -> None:
    expected, _ = await undisturbed(kept.again())
    desk = kept.again()
    outcomes = await asyncio.gather(
        *(desk.close("2026-02", by=name) for name in ("ada", "bob", "eve")), return_exceptions=True
    )
    refused = [each for each in outcomes if isinstance(each, CloseRefusedError)]
    assert all(isinstance(each, CloseRefusedError) or not isinstance(each, BaseException) for each in outcomes)
    if len(refused) == len(outcomes):  # each was overtaken by the next one's plan
        await desk.close("2026-02")
    assert desk.snapshot() == expected
    numbers = sorted(int(document["number"].rpartition("-")[2]) for document in await desk.statements())
    assert numbers == list(range(1, len(numbers) + 1))


class Deaf:
    """A store whose answers to records are lost, though it has recorded them."""

    def __init__(self, store: Any, lost: int) -> None:
        self._store, self._lost = store, lost

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def record(self, journal: Any, rows: Sequence[Any]) -> None:
        await self._store.record(journal, rows)
        if self._lost:
            self._lost -= 1
            raise StoreUnreachableError(url="http://gone", doing="recording", cause="connection reset")


async def test_an_entry_whose_answer_was_lost_is_recorded_once(
    desk: ClosingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_months(desk)
    before = len(await entries(desk))
    deaf = Deaf(desk.store, lost=2)
    monkeypatch.setattr(ClosingDesk, "store", property(lambda _: deaf))
    await desk.close("2026-02")
    states = [entry.state for entry in (await entries(desk))[before:]]
    assert states == [PLANNED, FROZEN, NUMBERED, WRITTEN, CLOSED]
