"""What the monitor makes of blocks, lag, books and residuals; everything it watches is a stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from agents import monitor as module
from agents.meter import BlockReport
from agents.metrics import Metrics
from agents.monitor import Monitor, StalledError
from agents.transport import Reach
from sinks.errors import StoreBusyError
from sinks.reconciliation import Residual, SumLine
from topics.reasons import Reason


@dataclass
class World:
    """Stand-ins, changed by the tests while the monitor runs."""

    reach: dict[int, Reach] = field(default_factory=dict)
    stored: dict[int, int] = field(default_factory=dict)
    partitions: tuple[int, ...] = (0,)
    all_stored: bool = False
    residual: Any = field(default_factory=lambda: Residual((), Decimal(0)))
    metrics: Metrics = field(default_factory=Metrics)
    books: Any = field(default_factory=lambda: SimpleNamespace(versions=[("prices", "1")], rater="first"))
    broken_books: bool = False
    unusable: dict[tuple[str, str], str] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    last_progress: float = 0.0

    def __post_init__(self) -> None:
        self.meter = SimpleNamespace(rater="first", grants=[])
        self.flushing = asyncio.Lock()

    def start(self, **settings: Any) -> Monitor:
        async def reach(topic: str, partitions: Any) -> dict[int, Reach]:
            return self.reach

        async def reconcile(epoch: int, partitions: Any, since: datetime) -> Residual:
            assert self.flushing.locked()
            self.asked.append(since)
            if isinstance(self.residual, Exception):
                raise self.residual
            return self.residual  # type: ignore[no-any-return]

        async def look() -> Any:
            if self.broken_books:
                raise FileNotFoundError("the folder is away")
            return self.books

        configuration: Any = SimpleNamespace(
            **({"stall_seconds": 60.0, "reconcile_seconds": 0.01, "epoch": SimpleNamespace(topic_epoch=1)} | settings)
        )
        self.meter.progress = {each: SimpleNamespace(next_offset=offset) for each, offset in self.stored.items()}
        keeper: Any = SimpleNamespace(
            look=look, books=self.books, age_seconds=3.0, grants=["grant"], unusable=self.unusable
        )
        membership: Any = SimpleNamespace(topic="t", consumer=SimpleNamespace(reach=reach))
        sink: Any = SimpleNamespace(reconcile=reconcile)
        return Monitor(configuration, self.metrics, sink, keeper, self.meter, membership)  # type: ignore[arg-type]

    @property
    def pump(self) -> Any:
        return SimpleNamespace(
            partitions=self.partitions,
            flushing=self.flushing,
            last_progress=self.last_progress,
            has_stored=lambda partition, handed: self.all_stored,
        )

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAG_SECONDS", 0.01)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)


async def running(world: World, until: Callable[[], Any], **settings: Any) -> None:
    task = asyncio.create_task(world.start(**settings).run(world.pump))
    try:
        async with asyncio.timeout(60):
            while not until():
                if task.done():
                    await task
                await asyncio.sleep(0.005)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def behind() -> World:
    return World(reach={0: Reach(100, 40, exhausted=False)}, stored={0: 30})


async def test_lag_without_a_stored_block_stops_the_worker_after_stall_seconds() -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        await running(behind(), lambda: False, stall_seconds=0.05)
    [error] = caught.value.exceptions
    assert isinstance(error, StalledError)
    assert error.lag == 70


async def test_lag_is_counted_from_what_is_stored_and_told_by_partition() -> None:
    world = behind()
    await running(world, lambda: world.value("tollstream_lag_records", partition="0") == 70)


async def test_a_log_that_ends_in_control_records_is_no_lag_once_everything_taken_is_stored() -> None:
    world = World(reach={0: Reach(100, 99, exhausted=True)}, stored={0: 99}, all_stored=True)
    await running(world, lambda: len(world.asked) > 20, stall_seconds=0.05)
    assert world.value("tollstream_lag_records", partition="0") == 0


async def test_fetched_but_not_stored_is_lag() -> None:
    world = World(reach={0: Reach(100, 100, exhausted=True)}, stored={0: 30}, all_stored=False)
    with pytest.raises(BaseExceptionGroup):
        await running(world, lambda: False, stall_seconds=0.05)


async def test_without_partitions_there_is_nothing_to_stall_at() -> None:
    world = behind()
    world.partitions = ()
    task = asyncio.create_task(world.start(stall_seconds=0.02).run(world.pump))
    await asyncio.sleep(0.2)
    assert not task.done()
    task.cancel()


async def test_a_residual_is_a_gauge_by_figure() -> None:
    line = SumLine(1, 0, "USD", "customer_charge", Decimal(1), Decimal("1.000000000001"), Decimal("0.000000000001"))
    world = World(residual=Residual((line,), Decimal(0)))
    await running(world, lambda: world.value("tollstream_reconciliation_residual", figure="amounts"))
    assert world.value("tollstream_reconciliation_residual", figure="amounts") == 1e-12
    assert world.value("tollstream_reconciliation_residual", figure="rows") == 0
    assert world.asked[0] < datetime.now(UTC)


async def test_a_store_that_cannot_compare_now_is_asked_again_and_the_age_grows() -> None:
    world = World(residual=StoreBusyError(doing="comparing", code=None, detail="busy"))
    await running(world, lambda: len(world.asked) >= 3)
    assert world.value("tollstream_reconciliation_residual", figure="amounts") is None
    assert (world.value("tollstream_reconciliation_age_seconds") or 0) > 0.02


async def test_new_books_and_grants_reach_the_meter() -> None:
    world = World()
    started = world.start()
    world.books = SimpleNamespace(versions=[("prices", "1"), ("prices", "2")], rater="second")
    task = asyncio.create_task(started.run(world.pump))
    async with asyncio.timeout(60):
        while world.meter.rater != "second":
            await asyncio.sleep(0.005)
    task.cancel()
    assert world.meter.grants == ["grant"]


async def test_books_that_cannot_be_read_leave_the_old_ones_and_the_worker_running() -> None:
    world = World(broken_books=True)
    await running(world, lambda: len(world.asked) >= 5)
    assert world.meter.rater == "first"


async def test_versions_that_this_worker_cannot_use_are_counted_before_they_stop_it() -> None:
    world = World(unusable={("prices", "2"): "no such meter"})
    world.start()
    assert world.value("tollstream_books_unusable") == 1


def report(**changes: Any) -> BlockReport:
    values: dict[str, Any] = {
        "records": 10,
        "accepted": 7,
        "duplicates": 2,
        "dead_lettered": {Reason.NOT_JSON: 1},
        "voids": 1,
        "adjustments": 0,
        "unpriced": 3,
        "negative_earnings": 4,
        "stage_seconds": {"decode": 0.1, "ledger": 0.2},
        "max_record_time": 0,
        "next_offsets": {},
        "owned": True,
    }
    return BlockReport(**(values | changes))


async def test_a_block_is_counted_by_outcome_reason_and_stage() -> None:
    world = World()
    monitor = world.start()
    monitor.report(report())
    monitor.report(report())
    assert world.value("tollstream_records_total") == 20
    assert world.value("tollstream_events_total", outcome="accepted") == 14
    assert world.value("tollstream_events_total", outcome="duplicate") == 4
    assert world.value("tollstream_events_total", outcome="dead_lettered") == 2
    assert world.value("tollstream_dead_letters_total", reason="not_json") == 2
    assert world.value("tollstream_corrections_total", kind="void") == 2
    assert world.value("tollstream_unpriced_events_total") == 6
    assert world.value("tollstream_negative_earnings_events_total") == 8
    assert world.value("tollstream_stage_seconds_sum", stage="ledger") == pytest.approx(0.4)
    assert world.value("tollstream_fenced_blocks_total") == 0


async def test_a_block_that_was_not_committed_counts_as_fenced_and_as_nothing_else() -> None:
    world = World()
    world.start().report(report(owned=False))
    assert world.value("tollstream_fenced_blocks_total") == 1
    assert world.value("tollstream_records_total") == 0
    assert world.value("tollstream_events_total", outcome="accepted") == 0
