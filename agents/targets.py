"""Voids and adjustments: the rows that take back, or correct, what an earlier event of the same partition was billed.

A void mirrors its target: original plus adjustments plus void is 0 in every amount, every quantity and every count, in
the target's own window. An adjustment adds its signed amounts there. Both are judged one after the other, in log
order, because what the first does decides what the second may do.
Target    of the events accepted at smaller places under the target's identity, the latest usage of the same tenant.
          (An identity is accepted again once it is out of reach of the horizon; then there is more than one.)
Pricing   an adjustment that says what it was rated with (a re-rating) carries those versions, and so does what comes
          after it. Where money of the target stands already, more goes under the same rule and currency, another
          currency is refused; where none does yet, the pricing says where. So a void finds all of it in one place.
          The first one of usage without a price takes it out of quarantine: `pricing` is `rated_later`, else
          `rerated`; that of an adjustment made by hand is `rated`.
Exact     sums are made with `billing.money.EXACT`: Python's own 28 digits would round Decimal(38, 12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from agents.admission import Judgement, Original, Verdict, conflict
from agents.preparation import EVENT_AMOUNT_MAX, PreparedBlock
from billing.money import EXACT
from billing.windows import AMOUNT_COLUMNS
from sinks.contract import Sink
from topics.block import DIMENSION_COLUMNS, QUANTITY_UNIT, USAGE_PREFIX, Kind
from topics.reasons import Reason

Place = tuple[int, int, int, int]  # (epoch, partition, offset, index)
Identity = tuple[int, int, int]  # (partition, high, low)
VERSION_COLUMNS = ("price_version", "rule_version")
MONEY_PLACE_COLUMNS = ("rule_id", "currency")  # with the target's tags and window: the total that its money stands in
PRICING_COLUMNS = ("pricing", "unpriced_reason", *VERSION_COLUMNS, *MONEY_PLACE_COLUMNS)
RATED, UNPRICED, RERATED, RATED_LATER = "rated", "unpriced", "rerated", "rated_later"
Amounts = Mapping[str, Decimal | None]  # with base_cost


@dataclass(frozen=True, slots=True)
class Step:
    """An accepted void or adjustment, for its target."""

    place: Place
    kind: Kind
    amounts: Amounts
    pricing: Mapping[str, str]  # PRICING_COLUMNS of its own row


@dataclass(slots=True)
class BilledEvent:
    """What one identity stands for in the ledger at the moment: its row and what was added to it since."""

    place: Place
    kind: Kind
    tags: Mapping[str, str]
    window_start: int  # seconds
    pricing: dict[str, str]  # PRICING_COLUMNS: of the row, until a re-rating says otherwise
    usage: Mapping[str, int]  # millionths
    amounts: dict[str, Decimal | None]  # with base_cost; the running sum of row and adjustments
    voided_at: Place | None = None
    later: list[Step] = field(default_factory=list)  # stored, and not taken up yet

    @property
    def has_money(self) -> bool:
        """Whether any amount stands in a total."""
        return self.amounts["customer_charge"] is not None

    def take(self, step: Step) -> None:
        """Change as this step says."""
        _add(self.amounts, step.amounts)
        if step.kind is Kind.VOID:
            self.voided_at = step.place
            return
        # One made by hand repeats what stood before it.
        self.pricing.update({name: step.pricing[name] for name in (*VERSION_COLUMNS, *MONEY_PLACE_COLUMNS)})
        if step.pricing["pricing"] == RATED_LATER:
            self.pricing.update(pricing=RATED, unpriced_reason="")


async def resolve_targets(
    prepared: PreparedBlock, judgement: Judgement, window_starts: np.ndarray, sink: Sink, topic_epoch: int
) -> list[dict[str, Any]]:
    """Decide the rows that `judgement` left in sequence; answer the accepted voids and adjustments as ledger rows.

    Changes `judgement.verdicts` and `judgement.rejected` in place."""
    if not judgement.in_sequence:
        return []
    sequence = _Sequence(prepared, judgement, window_starts, topic_epoch)
    await sequence.load_stored(sink)
    for row in judgement.in_sequence:
        sequence.decide(row)
    return sequence.rows


class _Sequence:
    def __init__(
        self, prepared: PreparedBlock, judgement: Judgement, window_starts: np.ndarray, topic_epoch: int
    ) -> None:
        self.rows: list[dict[str, Any]] = []
        self._prepared = prepared
        self._judgement = judgement
        self._window_starts = window_starts
        self._epoch = topic_epoch
        block = prepared.block
        self._events = block.events
        self._targets = {int(target["row"]): (number, target) for number, target in enumerate(block.targets.to_dicts())}
        self._billed: dict[Identity, list[BilledEvent]] = {}  # stored or accepted in this block, by place
        self._in_block: dict[Identity, list[int]] = {}  # accepted rows of this block, not yet in `_billed`
        self._accepted: dict[int, list[Original]] = {}  # identity group -> accepted in sequence
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
        rows = np.flatnonzero(np.isin(block.identities[:, 1], wanted) & (self._judgement.verdicts == Verdict.ACCEPTED))
        for row in rows.tolist():
            self._in_block.setdefault(self._identity(row), []).append(row)

    async def load_stored(self, sink: Sink) -> None:
        identities = sorted({self._target_identity(row) for row in self._judgement.in_sequence if row in self._targets})
        if not identities:
            return
        partitions = sorted({identity[0] for identity in identities})
        words = np.array([identity[1:] for identity in identities], dtype=np.uint64).reshape(-1, 2)
        stored = await sink.find_rows(self._epoch, partitions, words)
        records = sorted(stored.to_dicts(), key=_stored_place)
        for record in records:
            for partition in self._owners(record, partitions):
                identity = partition, record["identity_high"], record["identity_low"]
                self._billed.setdefault(identity, []).append(_billed_from_stored(record))
        for record in records:
            if record["kind"] != "usage":
                self._take_later(record, partitions)

    def _owners(self, record: Mapping[str, Any], partitions: list[int]) -> list[int]:
        """The partitions in which a stored row counts: its own; of an earlier epoch, any, since keys have moved."""
        return partitions if record["topic_epoch"] < self._epoch else [record["source_partition"]]

    def _take_later(self, record: dict[str, Any], partitions: list[int]) -> None:
        place = _stored_place(record)
        step = Step(place, Kind[record["kind"].upper()], _amounts_of(record), _pricing_of(record))
        for partition in self._owners(record, partitions):
            before = self._before((partition, record["target_high"], record["target_low"]), place)
            target = _target(before, record["builder"], record["tenant"])
            if isinstance(target, BilledEvent):
                target.later.append(step)

    def decide(self, row: int) -> None:
        """One event: copy of an accepted one, usage, or a void or adjustment with a target to be found."""
        verdicts = self._judgement.verdicts
        group = int(self._judgement.group[row])
        payload = int(self._prepared.block.payloads[row])
        reach = int(self._prepared.remembered_from[row])
        known = [*self._judgement.stored.get(group, ()), *self._accepted.get(group, ())]
        original = next((each for each in reversed(known) if each.event_time >= reach), None)
        if original is not None:
            if original.payload == payload:
                verdicts[row] = Verdict.DUPLICATE
            else:
                self._reject(row, conflict(original.offset, earlier_epoch=original.epoch < self._epoch))
            return
        if self._events["kind"][row] != Kind.USAGE:
            refusal = self._aim(row)
            if refusal is not None:
                self._reject(row, refusal)
                return
        verdicts[row] = Verdict.ACCEPTED
        self._in_block.setdefault(self._identity(row), []).append(row)
        original = Original(*self._place(row), payload, int(self._events["event_time"][row]))
        self._accepted.setdefault(group, []).append(original)

    def _aim(self, row: int) -> tuple[Reason, str] | None:
        """Find the target and append the ledger row, or say why not."""
        target_row = self._targets[row][1]
        name = f"{target_row['target_source']!r} {target_row['target_id']!r}"
        tags = self._prepared.block.dimensions.row(int(self._events["dimension"][row]), named=True)
        place = self._place(row)
        target = _target(self._before(self._target_identity(row), place), tags["builder"], tags["tenant"])
        if target is Reason.TARGET_UNKNOWN:
            return target, (
                f"no event {name} was accepted before this one: publish it first, under the same subject, then this "
                "again"
            )
        if target is Reason.TARGET_OF_OTHER_TENANT:
            return target, f"{name} was billed to another tenant than this event names"
        if isinstance(target, Reason):
            return target, f"{name} is itself a void or an adjustment: only usage can be corrected"
        # In order: what one of them says of versions holds until the next one says otherwise.
        for stored in sorted((step for step in target.later if step.place < place), key=lambda step: step.place):
            target.later.remove(stored)
            target.take(stored)
        if target.voided_at is not None:
            return Reason.TARGET_ALREADY_VOIDED, f"{name} was taken back before, at offset {target.voided_at[2]}"
        kind = Kind(int(self._events["kind"][row]))
        own = target.pricing["currency"]
        if target_row["currency"] not in (None, own) and target.has_money:
            return Reason.CURRENCY_MISMATCH, (
                f"{name} was billed in {own or 'no currency'}, this pricing is in {target_row['currency']}: take the "
                "event back, and publish the usage under a new id"
            )
        amounts = _void_amounts(target) if kind is Kind.VOID else _adjustment_amounts(target_row)
        if any(amount is not None and amount.copy_abs() > EVENT_AMOUNT_MAX for amount in amounts.values()):
            return Reason.QUANTITY_TOO_LARGE, f"an amount is beyond {EVENT_AMOUNT_MAX}: correct it and publish again"
        step = Step(place, kind, amounts, _pricing_of_step(kind, target, target_row))
        target.later = [step for step in target.later if step.place != place]  # a replay finds itself in the ledger
        self.rows.append(self._ledger_row(row, step, target, tags["source"], target_row["note"]))
        target.take(step)
        return None

    def _before(self, identity: Identity, place: Place) -> list[BilledEvent]:
        """What was accepted under an identity before `place`, in order, stored or not."""
        billed = self._billed.setdefault(identity, [])
        for row in self._in_block.pop(identity, []):
            if all(known.place != self._place(row) for known in billed):  # a replay has found it in the ledger
                billed.append(self._billed_from_block(row))
        billed.sort(key=lambda known: known.place)
        return [known for known in billed if known.place < place]

    def _billed_from_block(self, row: int) -> BilledEvent:
        event = self._events.row(row, named=True)
        rated = self._prepared.rated.row(row, named=True)
        return BilledEvent(
            place=self._place(row),
            kind=Kind(event["kind"]),
            tags=self._prepared.block.dimensions.row(event["dimension"], named=True),
            window_start=int(self._window_starts[row]),
            pricing=_pricing_of(rated),
            usage={
                name.removeprefix(USAGE_PREFIX): value
                for name, value in event.items()
                if name.startswith(USAGE_PREFIX) and value is not None
            },
            amounts=_amounts_of(rated),
        )

    def _ledger_row(
        self,
        row: int,
        step: Step,
        target: BilledEvent,
        source: str,
        note: str,
    ) -> dict[str, Any]:
        _, high, low = self._target_identity(row)
        return {
            "row": row,
            "kind": step.kind,
            "tags": {**target.tags, "source": source},
            "window_start": target.window_start,
            "target_high": high,
            "target_low": low,
            "note": note or "",
            "usage": {meter: -quantity for meter, quantity in target.usage.items()} if step.kind is Kind.VOID else {},
            **step.pricing,
            **step.amounts,
        }

    def _place(self, row: int) -> Place:
        events = self._events
        return self._epoch, int(events["partition"][row]), int(events["offset"][row]), int(events["index"][row])

    def _reject(self, row: int, why: tuple[Reason, str]) -> None:
        self._judgement.verdicts[row] = Verdict.REJECTED
        self._judgement.rejected[row] = why


def _target(before: list[BilledEvent], builder: str, tenant: str) -> BilledEvent | Reason:
    """The event that a void or adjustment of this tenant is about, or why there is none."""
    if not before:
        return Reason.TARGET_UNKNOWN
    own = [known for known in before if (known.tags["builder"], known.tags["tenant"]) == (builder, tenant)]
    if not own:
        return Reason.TARGET_OF_OTHER_TENANT
    usages = [known for known in own if known.kind is Kind.USAGE]
    return usages[-1] if usages else Reason.TARGET_NOT_USAGE


def _pricing_of_step(kind: Kind, target: BilledEvent, target_row: Mapping[str, Any]) -> dict[str, str]:
    """PRICING_COLUMNS of the row of a void or an adjustment."""
    if kind is Kind.VOID:
        # Unpriced like a target that still waits, corrected by hand or not: it takes back what that one counts for.
        return dict(target.pricing)
    if target_row["currency"] is None:
        return {**target.pricing, "pricing": RATED, "unpriced_reason": ""}
    given = VERSION_COLUMNS if target.has_money else (*VERSION_COLUMNS, *MONEY_PLACE_COLUMNS)
    return {
        **target.pricing,
        **{name: target_row[name] for name in given},
        "pricing": RATED_LATER if target.pricing["pricing"] == UNPRICED else RERATED,
        "unpriced_reason": "",
    }


def _void_amounts(target: BilledEvent) -> dict[str, Decimal | None]:
    return {name: None if amount is None else EXACT.minus(amount) for name, amount in target.amounts.items()}


def _adjustment_amounts(target_row: Mapping[str, Any]) -> dict[str, Decimal | None]:
    amounts: dict[str, Decimal | None] = {name: target_row[name] for name in AMOUNT_COLUMNS}
    amounts["base_cost"] = EXACT.add(target_row["provider_reward"], target_row["platform_fee"])
    return amounts


def _amounts_of(row: Mapping[str, Any]) -> dict[str, Decimal | None]:
    return {name: row[name] for name in ("base_cost", *AMOUNT_COLUMNS)}


def _pricing_of(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: row[name] for name in PRICING_COLUMNS}


def _add(amounts: dict[str, Decimal | None], more: Amounts) -> None:
    for name, amount in more.items():
        if amount is not None:
            amounts[name] = EXACT.add(amounts[name] or Decimal(0), amount)


def _stored_place(record: Mapping[str, Any]) -> Place:
    return record["topic_epoch"], record["source_partition"], record["source_offset"], record["batch_index"]


def _billed_from_stored(record: Mapping[str, Any]) -> BilledEvent:
    usage = record["usage"] or []
    return BilledEvent(
        place=_stored_place(record),
        kind=Kind[record["kind"].upper()],
        tags={name: record[name] for name in DIMENSION_COLUMNS},
        window_start=int(record["window_start"].timestamp()),
        pricing=_pricing_of(record),
        usage={entry["key"]: int(EXACT.multiply(entry["value"], QUANTITY_UNIT)) for entry in usage},
        amounts=_amounts_of(record),
    )
