"""Backfill grants: who lets which old events in, why, and from when.

A grant lifts the dedup horizon for one source and one range of event times, for records that Kafka appended within
its validity. It must be known to every worker before the first record it could apply to, or a replay would judge
that record otherwise than the first run did: so it becomes valid no sooner than `LEAD` after it is recorded.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sinks.contract import BackfillGrant, Sink
from sinks.errors import GrantRefusedError

LEAD = timedelta(seconds=60)


def grant_problem(grant: BackfillGrant, now: datetime) -> str | None:
    """Why a grant cannot be recorded at `now`, as one sentence; None when it can."""
    times = (grant.event_time_from, grant.event_time_to, grant.valid_from, grant.valid_to, now)
    if any(time.utcoffset() is None for time in times):
        return "every time needs an offset, such as +00:00"
    for name in ("grant_id", "source", "granted_by", "reason"):
        if not getattr(grant, name).strip():
            return f"{name} is empty: say who grants what, and why"
    if grant.event_time_from >= grant.event_time_to:
        return "event_time_from is not before event_time_to"
    if grant.valid_from >= grant.valid_to:
        return "valid_from is not before valid_to"
    if grant.valid_from < now + LEAD:
        return (
            f"valid_from {grant.valid_from.isoformat()} is not {LEAD.seconds} s ahead of {now.isoformat()}: "
            "workers that have not read it yet would judge the same record otherwise"
        )
    return None


async def record_backfill_grant(
    sink: Sink,
    *,
    source: str,
    event_time_from: datetime,
    event_time_to: datetime,
    valid_from: datetime,
    valid_to: datetime,
    granted_by: str,
    reason: str,
    now: datetime | None = None,
    grant_id: str = "",
) -> BackfillGrant:
    """Record a grant and answer it; ranges are half-open, all times aware. Raises `GrantRefusedError`.

    `grant_id` is drawn unless given; recording the same grant under the same id again changes nothing.
    """
    grant = BackfillGrant(
        grant_id=grant_id or str(uuid4()),
        source=source,
        event_time_from=event_time_from,
        event_time_to=event_time_to,
        valid_from=valid_from,
        valid_to=valid_to,
        granted_by=granted_by,
        reason=reason,
    )
    known = {other.grant_id: other for other in await sink.read_backfill_grants()}
    if known.get(grant.grant_id) == grant:
        return grant
    if grant.grant_id in known:
        raise GrantRefusedError(grant_id=grant.grant_id, detail="this id was given to another grant")
    problem = grant_problem(grant, now or datetime.now(UTC))
    if problem is not None:
        raise GrantRefusedError(grant_id=grant.grant_id, detail=problem)
    await sink.write_backfill_grant(grant)
    return grant
