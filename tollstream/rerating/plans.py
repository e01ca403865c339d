"""Plans on record: which one to go on with, what stands in the way of a new one, and who gets the next place.

Two re-ratings of one event, each computed before the other's adjustment was stored, would add its difference twice. So
a new one is refused while an overlapping one is unfinished, or is not yet stored up to its end; recording is a compare
and set, so of two at once the second sees the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sinks.errors import SinkTransientError
from sinks.rerates import PUBLISHED, Partition, Rerate, Rerates, RerateStore, replace
from tollstream.rerating.request import RerateRefusedError

ATTEMPTS = 3
MARGIN = timedelta(hours=1)  # an adjustment must reach the log well within the horizon


def unfinished(known: Rerates, parameters: tuple[object, ...], horizon: timedelta) -> Rerate | None:
    """The plan for the same parameters that can be gone on with."""
    for plan, newest in known.latest():
        if plan.parameters == parameters and newest.state != PUBLISHED and not expired(plan, known.now, horizon):
            return plan
    return None


def named(known: Rerates, rerate_id: str, horizon: timedelta) -> Rerate:
    """The plan of this id, to be gone on with. Raises `RerateRefusedError`."""
    for plan, newest in known.latest():
        if plan.rerate_id == rerate_id:
            if newest.state == PUBLISHED:
                raise RerateRefusedError(f"Re-rating {rerate_id} is finished: there is nothing to resume.")
            if expired(plan, known.now, horizon):
                raise RerateRefusedError(
                    f"Re-rating {rerate_id} was planned at {plan.recorded_at.isoformat()}, and its adjustments carry "
                    "that time: by now workers would refuse them as too late. Rate the range again: what it published "
                    "then is counted."
                )
            return plan
    raise RerateRefusedError(f"No re-rating {rerate_id!r} is on record: `tollstream rerate --history` lists them all.")


def expired(plan: Rerate, now: datetime, horizon: timedelta) -> bool:
    """Whether its adjustments would come too late."""
    return now - plan.recorded_at > horizon - min(MARGIN, horizon / 2)


def obstacles(
    plan: Rerate, known: Rerates, cut: Mapping[Partition, int], horizon: timedelta, log_ends: Mapping[int, int]
) -> list[str]:
    """Why it must not be applied now, a sentence each.

    `log_ends` is where the log ended before `cut` was read; it is asked about plans that were never finished."""
    found = []
    for other, newest in known.latest():
        if other.rerate_id == plan.rerate_id or not other.overlaps(plan):
            continue
        over = f"re-rating {other.rerate_id} of overlapping usage, planned by {other.by}"
        if newest.state != PUBLISHED and not expired(other, known.now, horizon):
            found.append(
                f"The {over}, is not finished: finish it first with `tollstream rerate --resume {other.rerate_id} "
                "--apply --by NAME --reason TEXT`, wait until workers have stored it, then rate again."
            )
            continue
        ends = newest.ends if newest.state == PUBLISHED else log_ends
        lag = sum(max(0, end - cut.get((other.topic_epoch, partition), 0)) for partition, end in ends.items())
        if lag:
            found.append(
                f"The {over}, is not stored yet: workers are {lag} records short of its end, and what they have not "
                "stored would be counted twice. Wait until they have, then rate again."
            )
    return found


async def record_plan(
    store: RerateStore, plan: Rerate, cut: Mapping[Partition, int], horizon: timedelta, log_ends: Mapping[int, int]
) -> Rerate:
    """The plan as it stands on record: this one, or the one for the same parameters that somebody recorded first.

    Raises `RerateRefusedError` for an overlapping one."""
    while True:
        known = await store.read_rerates()
        same = unfinished(known, plan.parameters, horizon)
        if same is not None:
            return same
        in_the_way = obstacles(plan, known, cut, horizon, log_ends)
        if in_the_way:
            raise RerateRefusedError(" ".join(in_the_way))
        recorded = await _record(store, replace(plan, sequence=known.next_place))
        if recorded is not None:
            return recorded


async def record_state(store: RerateStore, entry: Rerate) -> Rerate:
    """Record a later entry of a re-rating, at whichever place is free."""
    while True:
        known = await store.read_rerates()
        recorded = await _record(store, replace(entry, sequence=known.next_place))
        if recorded is not None:
            return recorded


async def _record(store: RerateStore, entry: Rerate) -> Rerate | None:
    """Record at its place and read back; None where somebody else has it."""
    failure: SinkTransientError | None = None
    for _ in range(ATTEMPTS):  # under one token it happens once, however often it is sent
        try:
            await store.record_rerate(entry)
            known = await store.read_rerates()
        except SinkTransientError as error:
            failure = error
            continue
        standing = next((each for each in known.entries if each.sequence == entry.sequence), None)
        if standing is not None:
            mine = (standing.rerate_id, standing.state, standing.by) == (entry.rerate_id, entry.state, entry.by)
            return standing if mine else None
    if failure is not None:
        raise failure
    raise RerateRefusedError(
        "The store accepted the entry of this re-rating and does not show it: nothing was published. Try again."
    )
