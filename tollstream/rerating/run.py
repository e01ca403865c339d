"""A re-rating from the question to the stored adjustments: `preview` only looks, `apply` publishes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from billing.prices import PriceBooks
from billing.rerating import Rerater
from billing.surcharges import RuleBooks
from gateway.emitter import EmitterConfiguration
from sinks.rerates import PUBLISHED, RESUMED, Rerate, replace
from tollstream.rerating.computing import Advance, Progress, RerateLedger, compute, read_progress
from tollstream.rerating.plans import expired, named, obstacles, record_plan, record_state, unfinished
from tollstream.rerating.publishing import Published, log_ends, publish
from tollstream.rerating.request import Request, RerateRefusedError, books_of_plan, digests, plan_of, request_of
from tollstream.rerating.summary import Summary
from topics.meters import MeterCatalogue

POLL_SECONDS = 0.5
PORTION_ROWS = 100_000  # some 400 MB


@dataclass(frozen=True, slots=True)
class Installation:
    """Where it reads and writes, and what it rates with."""

    store: RerateLedger
    prices: PriceBooks
    rules: RuleBooks
    catalogue: MeterCatalogue
    emitter: EmitterConfiguration
    topic_epoch: int
    partitions: int
    horizon: timedelta
    portion_rows: int = PORTION_ROWS


@dataclass(frozen=True, slots=True)
class Told:
    """Who wants to know how far it is: `read` ledger rows, then `published` adjustments."""

    read: Advance = lambda done, of: None
    published: Published = lambda done, of: None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    request: Request
    summary: Summary
    plan: Rerate | None = None  # None: nothing was published
    resumed: bool = False
    ends: Mapping[int, int] = field(default_factory=dict)  # the adjustments stand below these offsets
    notes: tuple[str, ...] = ()


async def preview(installation: Installation, request: Request, told: Told | None = None) -> Result:
    """The differences, and nothing else."""
    told, store = told or Told(), installation.store
    progress = await read_progress(store)
    known = await store.read_rerates()
    plan = _plan(installation, request, progress, by="", reason="")
    summary = await _sum(installation, request, _rerater(installation, request), progress, told)
    return Result(request, summary, notes=tuple(obstacles(plan, known, progress.cut, installation.horizon, {})))


async def apply(
    installation: Installation,
    request: Request | None,
    *,
    by: str,
    reason: str,
    rerate_id: str = "",
    told: Told | None = None,
) -> Result:
    """Plan, or go on with the plan on record (of these parameters, or with `rerate_id`), publish, and close it.

    Raises `RerateRefusedError`, and what store and broker raise; the same call again goes on where it broke off."""
    told, store, horizon = told or Told(), installation.store, installation.horizon
    known = await store.read_rerates()
    standing = named(known, rerate_id, horizon) if rerate_id else None
    if standing is None and request is not None:
        standing = unfinished(known, _parameters(installation, request), horizon)
    if standing is not None:
        await record_state(store, replace(standing, state=RESUMED, by=by, reason=reason))
        return await _finish(installation, standing, by, reason, told, resumed=True)
    if request is None:
        raise RerateRefusedError("Say what to rate again: --from and --to, --unpriced, or --resume.")
    return await _plan_and_finish(installation, request, by, reason, told)


async def wait_until_stored(store: RerateLedger, plan: Rerate, ends: Mapping[int, int], seconds: float) -> int | None:
    """How many of the plan's adjustments are in the ledger, once workers are past their end; None if time is up."""
    deadline = time.monotonic() + seconds
    while True:
        cut = (await read_progress(store)).cut
        if all(cut.get((plan.topic_epoch, partition), 0) >= end for partition, end in ends.items()):
            return await store.count_rerated(plan.rerate_id)
        if time.monotonic() > deadline:
            return None
        await asyncio.sleep(POLL_SECONDS)


async def _plan_and_finish(installation: Installation, request: Request, by: str, reason: str, told: Told) -> Result:
    store, horizon = installation.store, installation.horizon
    known = await store.read_rerates()
    # Before the cut is read: what stood in the log by now is below it, or the plan is refused.
    ends: Mapping[int, int] = {}
    if any(newest.state != PUBLISHED and expired(plan, known.now, horizon) for plan, newest in known.latest()):
        ends = await _log_ends(installation)
    progress = await read_progress(store)
    plan = _plan(installation, request, progress, by=by, reason=reason)
    in_the_way = obstacles(plan, known, progress.cut, horizon, ends)
    if in_the_way:  # said before a long computation, and asked again when the plan is recorded
        raise RerateRefusedError(" ".join(in_the_way))
    summary = await _sum(installation, request, _rerater(installation, request), progress, told)
    if not summary.changes:
        return Result(request, summary)
    plan = replace(plan, events=summary.changes, differences=summary.differences)
    recorded = await record_plan(store, plan, progress.cut, horizon, ends)
    return await _finish(installation, recorded, by, reason, told, resumed=recorded.rerate_id != plan.rerate_id)


async def _finish(
    installation: Installation, plan: Rerate, by: str, reason: str, told: Told, *, resumed: bool
) -> Result:
    store, request = installation.store, request_of(plan)
    if plan.topic_epoch != installation.topic_epoch:
        raise RerateRefusedError(
            f"Re-rating {plan.rerate_id} was planned for topic epoch {plan.topic_epoch}, and the setting topic_epoch "
            f"is {installation.topic_epoch}: finish it with TOLLSTREAM_TOPIC_EPOCH={plan.topic_epoch}."
        )
    prices, rules = books_of_plan(plan, installation.prices, installation.rules)
    rerater = Rerater(prices, rules, request.selection, installation.catalogue)
    newest = (await read_progress(store)).newest
    portions = compute(
        store,
        request,
        rerater,
        Progress(plan.cut, newest),
        installation.horizon,
        portion_rows=installation.portion_rows,
    )
    summary = await publish(plan, portions, installation.emitter, told.published)
    if (summary.changes, summary.differences) != (plan.events, plan.differences):
        raise RerateRefusedError(
            f"Re-rating {plan.rerate_id} was planned with {plan.events} adjustments and came to {summary.changes}, or "
            "to other sums: the ledger below its cut is not what it was, or this version rates otherwise. It stays "
            "unfinished; run `tollstream reconcile`, and keep its answer."
        )
    ends = await _log_ends(installation)
    await record_state(store, replace(plan, state=PUBLISHED, by=by, reason=reason, ends=ends))
    return Result(request, summary, plan=plan, resumed=resumed, ends=ends)


async def _sum(
    installation: Installation, request: Request, rerater: Rerater, progress: Progress, told: Told
) -> Summary:
    summary = Summary()
    async for portion in compute(
        installation.store,
        request,
        rerater,
        progress,
        installation.horizon,
        portion_rows=installation.portion_rows,
        advance=told.read,
    ):
        summary.add(portion)
    return summary


def _rerater(installation: Installation, request: Request) -> Rerater:
    return Rerater(installation.prices, installation.rules, request.selection, installation.catalogue)


def _plan(installation: Installation, request: Request, progress: Progress, *, by: str, reason: str) -> Rerate:
    return plan_of(
        request,
        rerate_id=uuid4().hex[:16],
        by=by,
        reason=reason,
        topic_epoch=installation.topic_epoch,
        books=digests(installation.prices, installation.rules),
        cut=progress.cut,
    )


def _parameters(installation: Installation, request: Request) -> tuple[object, ...]:
    return _plan(installation, request, Progress({}, request.start), by="", reason="").parameters


async def _log_ends(installation: Installation) -> dict[int, int]:
    emitter = installation.emitter
    return await log_ends(emitter.bootstrap_servers, emitter.topic, installation.partitions)
