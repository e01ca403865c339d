"""Proof that the simulation bites: the real code with one seam broken is caught, each time, within a few seeds.

A variant replaces one named function of the real pipeline and nothing else. Its test prints the seed that caught it and
the first event that differs; the same seed then has to pass with the code unbroken.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from agents import admission, meter, targets
from agents.commit import Commit, DeadLetterPublisher, Flush, Timed, flush
from agents.deadline import Deadline
from billing.rating import Rater
from billing.windows import WindowTotals
from sinks.memory import MemorySink
from tests.simulation.books import START
from tests.simulation.run import SeedFailedError, check_seed

SEEDS_MAX = 40  # the range that is searched, from the seed named beside the variant
Break = Callable[[pytest.MonkeyPatch], None]


class _Sink:
    """The worker's sink, but for what a variant does in another order."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)


def _no_guard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(WindowTotals, "_beyond_version", lambda self, contributions: contributions)


def _commit_before_flush(patch: pytest.MonkeyPatch) -> None:
    async def hasty(
        rows: Flush, sink: Any, publisher: DeadLetterPublisher, commit: Commit, deadline: Deadline, timed: Timed
    ) -> bool:
        owned = await commit(rows.next_offsets)

        async def committed(_: dict[int, int]) -> bool:
            return owned

        return await flush(rows, sink, publisher, committed, deadline, timed)

    patch.setattr(meter, "flush", hasty)


def _dedup_by_presence(patch: pytest.MonkeyPatch) -> None:
    def present(known: pl.DataFrame, *_: object) -> pl.DataFrame:
        return known.sort("row", "epoch", "partition", "offset", "index")

    patch.setattr(admission, "_before_the_block", present)


def _wall_clock(patch: pytest.MonkeyPatch) -> None:
    rate, hours = Rater.rate, itertools.count()

    def rate_now(self: Rater, events: pl.DataFrame, dimensions: pl.DataFrame) -> pl.DataFrame:
        now = START + timedelta(hours=next(hours))  # each block is rated an hour after the one before
        microseconds = pl.lit(int(now.timestamp()) * 1_000_000, pl.Int64)
        return rate(self, events.with_columns(event_time=microseconds), dimensions)

    patch.setattr(Rater, "rate", rate_now)


def _identities_outlive_ownership(patch: pytest.MonkeyPatch) -> None:
    load = admission.Identities.load

    async def load_once(self: admission.Identities, partition: int, since: Any) -> None:
        if partition not in self._filters:
            await load(self, partition, since)

    patch.setattr(admission.Identities, "forget", lambda self, partitions: None)
    patch.setattr(admission.Identities, "load", load_once)


def _totals_outlive_ownership(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(WindowTotals, "forget", lambda self, partitions: None)


def _checkpoint_before_totals(patch: pytest.MonkeyPatch) -> None:
    async def promised(rows: Flush, sink: Any, *others: Any) -> bool:
        class Hasty(_Sink):
            async def write_totals(self, totals: pa.Table) -> None:
                await sink.write_checkpoints(rows.checkpoints)
                await sink.write_totals(totals)

        return await flush(rows, Hasty(sink), *others)

    patch.setattr(meter, "flush", promised)


def _dead_letters_not_awaited(patch: pytest.MonkeyPatch) -> None:
    async def careless(rows: Flush, sink: Any, publisher: Any, *others: Any) -> bool:
        owned = await flush(replace(rows, rejections=()), sink, publisher, *others)
        if rows.rejections:
            await publisher.publish(rows.rejections)
            await sink.write_dead_letters(rows.dead_letters)
        return owned

    patch.setattr(meter, "flush", careless)


def _re_ratings_forgotten(patch: pytest.MonkeyPatch) -> None:
    take = targets.BilledEvent.take

    def forgetful(self: targets.BilledEvent, step: targets.Step) -> None:
        pricing = dict(self.pricing)
        take(self, step)
        self.pricing = pricing

    patch.setattr(targets.BilledEvent, "take", forgetful)


def _last_write_wins(patch: pytest.MonkeyPatch) -> None:
    make = MemorySink.__init__

    def without_version(self: MemorySink) -> None:
        make(self)
        self._totals.version = None

    patch.setattr(MemorySink, "__init__", without_version)


VARIANTS: dict[str, tuple[Break, int, str]] = {
    "no per-row guard": (_no_guard, 1, "total of"),
    "commit before flush": (_commit_before_flush, 1, "below the committed offset"),
    "dedup by presence only": (_dedup_by_presence, 1, "total of|is accepted|checkpoint"),
    "prices looked up by the wall clock": (_wall_clock, 1, "version is"),
    "identities that outlive ownership": (_identities_outlive_ownership, 1, "is duplicate|is conflicting|belongs"),
    "totals that outlive ownership": (_totals_outlive_ownership, 1, "total of"),
    "checkpoint before totals": (_checkpoint_before_totals, 1, "below the checkpoint"),
    "dead letters not awaited": (_dead_letters_not_awaited, 1, "dead letter is missing"),
    "a re-rating that its target forgets": (_re_ratings_forgotten, 1, "version is|pricing is|rule_id is|total of"),
    "a zombie's older total wins": (_last_write_wins, 60, "the total of"),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", VARIANTS)
def test_a_broken_variant_is_caught_and_the_real_code_is_not(name: str) -> None:
    broken, first, expected = VARIANTS[name]
    with pytest.MonkeyPatch.context() as patch:
        broken(patch)
        seed, found = _search(range(first, first + SEEDS_MAX))
    print(f"{name}: {found}")
    check_seed(seed)  # the control
    assert any(words in found for words in expected.split("|")), f"{name} was caught by something else: {found}"


def _search(seeds: range) -> tuple[int, str]:
    for seed in seeds:
        try:
            check_seed(seed)
        except SeedFailedError as error:
            return seed, str(error)
    pytest.fail(f"not caught in {seeds}: the simulation has lost its teeth")
