"""Voids and adjustments: the rows that take back, or correct, what an earlier event of the same partition was billed.

A void mirrors its target: original plus adjustments plus void is 0 in every amount and every quantity, in the
target's own window. An adjustment adds its signed amounts there. Both are judged one after the other, in log order,
because what the first does decides what the second may do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from agents.admission import EARLIER_EPOCH, Judgement, Verdict, conflict
from agents.preparation import EVENT_AMOUNT_MAX, PreparedBlock
from billing.windows import AMOUNT_COLUMNS
from sinks.contract import Sink
from topics.block import DIMENSION_COLUMNS, QUANTITY_UNIT, USAGE_PREFIX, Kind
from topics.reasons import Reason

Place = tuple[int, int]  # (offset, index); offset EARLIER_EPOCH for rows of earlier epochs
Identity = tuple[int, int, int]  # (partition, high, low)
PRICING_COLUMNS = ("pricing", "unpriced_reason", "price_version", "rule_version", "rule_id", "currency")


@dataclass(slots=True)
class BilledEvent:
    """What one identity stands for in the ledger at the moment: its row and what was added to it since."""

    place: Place
    kind: Kind
    tags: Mapping[str, str]
    window_start: int  # seconds
    pricing: Mapping[str, str]
    usage: Mapping[str, int]  # millionths
    amounts: dict[str, Decimal | None]  # with base_cost; the running sum of row and adjustments
    voided_at: Place | None = None
    later: list[tuple[Place, Kind, dict[str, Decimal | None]]] = field(default_factory=list)


async def resolve_targets(
    prepared: PreparedBlock, judgement: Judgement, window_starts: np.ndarray, sink: Sink, topic_epoch: int
) -> list[dict[str, Any]]:
    """Decide the rows that `judgement` left in sequence; answer the accepted voids and adjustments as ledger rows.

    Changes `judgement.verdicts` and `judgement.rejected` in place."""
    if not judgement.in_sequence:
        return []
    sequence = _Sequence(prepared, judgement, window_starts)
    await sequence.load_stored(sink, topic_epoch)
    for row in judgement.in_sequence:
        sequence.decide(row)
    return sequence.rows


class _Sequence:
    def __init__(self, prepared: PreparedBlock, judgement: Judgement, window_starts: np.ndarray) -> None:
        self.rows: list[dict[str, Any]] = []
        self._prepared = prepared
        self._judgement = judgement
        self._window_starts = window_starts
        block = prepared.block
        self._events = block.events
        self._targets = {int(target["row"]): (number, target) for number, target in enumerate(block.targets.to_dicts())}
        self._billed: dict[Identity, BilledEvent] = {}
        self._in_block: dict[Identity, int] = {}  # accepted usage rows of this block that are somebody's target
        self._accepted: dict[int, tuple[Place, int]] = {}  # identity group -> (place, payload) accepted in sequence
        self._index_block_targets()

    def _identity(self, row: int) -> Identity:
        high, low = self._prepared.block.identities[row].tolist()
        return int(self._events["partition"][row]), high, low

    def _target_identity(self, row: int) -> Identity:
        high, low = self._prepared.block.target_identities[self._targets[row][0]].tolist()
        return int(self._events["partition"][row]), high, low

    def _index_block_targets(self) -> None:
        block = self._prepared.block
        wanted = np.unique(block.target_identities[:, 1])
        rows = np.flatnonzero(
            np.isin(block.identities[:, 1], wanted) & (self._judgement.verdicts == Verdict.ACCEPTED)
        )
        for row in rows.tolist():
            self._in_block[self._identity(row)] = row

    async def load_stored(self, sink: Sink, topic_epoch: int) -> None:
        rows = [row for row in self._judgement.in_sequence if row in self._targets]
        identities = sorted({self._target_identity(row) for row in rows})
        partitions = sorted({identity[0] for identity in identities})
        words = np.array([identity[1:] for identity in identities], dtype=np.uint64).reshape(-1, 2)
        stored = await sink.find_rows(topic_epoch, partitions, words)
        records = sorted(stored.to_dicts(), key=lambda record: _stored_place(record, topic_epoch))
        for record in records:
            self._take_billed(record, topic_epoch, partitions)
        for record in records:
            if record["kind"] != "usage":
                self._take_later(record, topic_epoch, partitions)

    def _take_billed(self, record: dict[str, Any], topic_epoch: int, partitions: list[int]) -> None:
        place = _stored_place(record, topic_epoch)
        for partition in _owners(record, place, partitions):
            self._billed.setdefault(
                (partition, record["identity_high"], record["identity_low"]), _billed_from_stored(record, place)
            )

    def _take_later(self, record: dict[str, Any], topic_epoch: int, partitions: list[int]) -> None:
        place = _stored_place(record, topic_epoch)
        amounts = {name: record[name] for name in ("base_cost", *AMOUNT_COLUMNS)}
        for partition in _owners(record, place, partitions):
            target = self._billed.get((partition, record["target_high"], record["target_low"]))
            if target is not None:
                target.later.append((place, Kind[record["kind"].upper()], amounts))

    def decide(self, row: int) -> None:
        """One event: copy of an accepted one, usage, or a void or adjustment with a target to be found."""
        verdicts, originals = self._judgement.verdicts, self._judgement.originals
        group = int(originals.group[row])
        place = self._place(row)
        payload = int(self._prepared.block.payloads[row])
        original = self._accepted.get(group)
        if original is None and originals.stored[group]:
            original = ((int(originals.offset[group]), int(originals.index[group])), int(originals.payload[group]))
        if original is not None and original[0] < place:
            if original[1] == payload:
                verdicts[row] = Verdict.DUPLICATE
            else:
                self._reject(row, conflict(original[0][0]))
            return
        if self._events["kind"][row] == Kind.USAGE:
            self._in_block[self._identity(row)] = row
        else:
            refusal = self._aim(row, place)
            if refusal is not None:
                self._reject(row, refusal)
                return
        verdicts[row] = Verdict.ACCEPTED
        self._accepted[group] = (place, payload)

    def _aim(self, row: int, place: Place) -> tuple[Reason, str] | None:
        """Find the target and append the ledger row, or say why not."""
        target_row = self._targets[row][1]
        name = f"{target_row['target_source']!r} {target_row['target_id']!r}"
        target = self._billed_before(self._target_identity(row), place)
        if target is None:
            return Reason.TARGET_UNKNOWN, (
                f"no event {name} was accepted before this one: publish it first, under the same subject, then this again"
            )
        if target.kind is not Kind.USAGE:
            return Reason.TARGET_NOT_USAGE, f"{name} is itself a {target.kind.name.lower()}: only usage can be corrected"
        tags = self._prepared.block.dimensions.row(int(self._events["dimension"][row]), named=True)
        if (tags["builder"], tags["tenant"]) != (target.tags["builder"], target.tags["tenant"]):
            return Reason.TARGET_OF_OTHER_TENANT, f"{name} was billed to another tenant than this event names"
        if target.voided_at is not None:
            return Reason.TARGET_ALREADY_VOIDED, f"{name} was taken back before, at offset {target.voided_at[0]}"
        kind = Kind(int(self._events["kind"][row]))
        amounts = _void_amounts(target) if kind is Kind.VOID else _adjustment_amounts(target_row)
        if any(amount is not None and abs(amount) > EVENT_AMOUNT_MAX for amount in amounts.values()):
            return Reason.QUANTITY_TOO_LARGE, f"an amount is beyond {EVENT_AMOUNT_MAX}: correct it and publish again"
        if kind is Kind.VOID:
            target.voided_at = place
        _add(target.amounts, amounts)
        target.later = [step for step in target.later if step[0] != place]  # a replay finds itself in the ledger
        self.rows.append(self._ledger_row(row, kind, target, amounts, tags["source"], target_row["note"]))
        return None

    def _billed_before(self, identity: Identity, place: Place) -> BilledEvent | None:
        """The target as it stands just before `place`: its own row, and voids and adjustments at smaller places."""
        billed = self._billed.get(identity)
        if billed is None or billed.place >= place:
            row = self._in_block.get(identity)
            if row is None or self._place(row) >= place:
                return None
            fresh = self._billed_from_block(row)
            if billed is not None:
                fresh.later = billed.later
            billed = self._billed[identity] = fresh
        for step in [step for step in billed.later if step[0] < place]:
            billed.later.remove(step)
            _add(billed.amounts, step[2])
            if step[1] is Kind.VOID:
                billed.voided_at = step[0]
        return billed

    def _billed_from_block(self, row: int) -> BilledEvent:
        event = self._events.row(row, named=True)
        rated = self._prepared.rated.row(row, named=True)
        return BilledEvent(
            place=self._place(row),
            kind=Kind(event["kind"]),
            tags=self._prepared.block.dimensions.row(event["dimension"], named=True),
            window_start=int(self._window_starts[row]),
            pricing={name: rated[name] for name in PRICING_COLUMNS},
            usage={
                name.removeprefix(USAGE_PREFIX): value
                for name, value in event.items()
                if name.startswith(USAGE_PREFIX) and value is not None
            },
            amounts={name: rated[name] for name in ("base_cost", *AMOUNT_COLUMNS)},
        )

    def _ledger_row(
        self,
        row: int,
        kind: Kind,
        target: BilledEvent,
        amounts: Mapping[str, Decimal | None],
        source: str,
        note: str,
    ) -> dict[str, Any]:
        _, high, low = self._target_identity(row)
        rated = amounts["customer_charge"] is not None
        return {
            "row": row,
            "kind": kind,
            "tags": {**target.tags, "source": source},
            "window_start": target.window_start,
            "target_high": high,
            "target_low": low,
            "note": note or "",
            "usage": {meter: -quantity for meter, quantity in target.usage.items()} if kind is Kind.VOID else {},
            **target.pricing,
            **({"pricing": "rated", "unpriced_reason": ""} if rated else {}),
            **amounts,
        }

    def _place(self, row: int) -> Place:
        return int(self._events["offset"][row]), int(self._events["index"][row])

    def _reject(self, row: int, why: tuple[Reason, str]) -> None:
        self._judgement.verdicts[row] = Verdict.REJECTED
        self._judgement.rejected[row] = why


def _void_amounts(target: BilledEvent) -> dict[str, Decimal | None]:
    return {name: None if amount is None else -amount for name, amount in target.amounts.items()}


def _adjustment_amounts(target_row: Mapping[str, Any]) -> dict[str, Decimal | None]:
    amounts: dict[str, Decimal | None] = {name: target_row[name] for name in AMOUNT_COLUMNS}
    amounts["base_cost"] = target_row["provider_reward"] + target_row["platform_fee"]
    return amounts


def _add(amounts: dict[str, Decimal | None], more: Mapping[str, Decimal | None]) -> None:
    for name, amount in more.items():
        if amount is not None:
            amounts[name] = (amounts[name] or Decimal(0)) + amount


def _stored_place(record: Mapping[str, Any], topic_epoch: int) -> Place:
    earlier = record["topic_epoch"] < topic_epoch
    return (EARLIER_EPOCH if earlier else record["source_offset"]), record["batch_index"]


def _owners(record: Mapping[str, Any], place: Place, partitions: list[int]) -> list[int]:
    """The partitions in which a stored row counts: its own; of an earlier epoch, any, since keys have moved."""
    return partitions if place[0] == EARLIER_EPOCH else [record["source_partition"]]


def _billed_from_stored(record: Mapping[str, Any], place: Place) -> BilledEvent:
    usage = record["usage"] or []
    return BilledEvent(
        place=place,
        kind=Kind[record["kind"].upper()],
        tags={name: record[name] for name in DIMENSION_COLUMNS},
        window_start=int(record["window_start"].timestamp()),
        pricing={name: record[name] for name in PRICING_COLUMNS},
        usage={entry["key"]: int(entry["value"] * QUANTITY_UNIT) for entry in usage},
        amounts={name: record[name] for name in ("base_cost", *AMOUNT_COLUMNS)},
    )

