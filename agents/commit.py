"""The flush of a block, in numbered steps. Their order is the exactness argument; do not change it.

1. Ledger rows, acknowledged. From here on every identity of the block can be found.
2. Dead letters: to Kafka (acks=all, awaited), then to the store. What is refused is kept before the log is passed.
3. Window totals, absolute, with the last offset each one holds as its version.
4. One checkpoint per partition: the counts up to its next offset, and the promise that 1 to 3 are stored.
5. The offsets to Kafka. They only say where to resume; nothing is lost if they are.

A crash between any two steps leaves a prefix of them done. The log is then read again from the last commit: the rows
of 1 have the same places and replace themselves, those of 3 are skipped by the guard of each row or are the same, 2
and 4 are keyed by place and offset. A failed or ambiguous write is repeated until the deadline, then the worker stops.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from agents.deadline import Deadline
from sinks.contract import Sink
from topics.block import Rejection

Commit = Callable[[dict[int, int]], Awaitable[bool]]
Timed = Callable[[str], None]


class DeadLetterPublisher(Protocol):
    """Where refused events go besides the store; returns only once every one is acknowledged by all replicas."""

    async def publish(self, rejections: Sequence[Rejection]) -> None:
        """Raises SinkTransientError when it may be tried again."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Everything one block leaves behind."""

    ledger: pa.Table
    rejections: Sequence[Rejection]
    dead_letters: pa.Table
    totals: pa.Table
    checkpoints: pa.Table
    next_offsets: dict[int, int]  # partition -> offset to resume at


async def flush(
    rows: Flush, sink: Sink, publisher: DeadLetterPublisher, commit: Commit, deadline: Deadline, timed: Timed
) -> bool:
    """Carry out the five steps; False when Kafka says that the partitions belong to another worker by now."""
    # 1.
    if rows.ledger.num_rows:
        await deadline.attempt(lambda: sink.write_ledger(rows.ledger))
    timed("ledger")
    # 2.
    if rows.rejections:
        await deadline.attempt(lambda: publisher.publish(rows.rejections))
        await deadline.attempt(lambda: sink.write_dead_letters(rows.dead_letters))
    timed("dead_letters")
    # 3.
    if rows.totals.num_rows:
        await deadline.attempt(lambda: sink.write_totals(rows.totals))
    timed("totals")
    # 4.
    if rows.checkpoints.num_rows:
        await deadline.attempt(lambda: sink.write_checkpoints(rows.checkpoints))
    timed("checkpoint")
    # 5.
    owned = await commit(rows.next_offsets)
    timed("commit")
    return owned
