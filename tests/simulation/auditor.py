"""What has to come out of a log, worked out from the log alone: one event after the other, with Python's own numbers.

It shares no code with billing/, sinks/ or agents/; of topics/ it uses the identity and payload hashes of single events,
which have tests of their own. `Truth` is the answer for every place; its `check_*` methods compare rows as they are
written or as they stand in the end, and name the first event that differs.

The rules it applies
Time      more than `future_skew_seconds` after the record's timestamp: future_time; more than `dedup_horizon_seconds`
          before it, and no grant: too_late. Such an event claims no identity.
Identity  an accepted event is remembered by its (source, id) until its time is older than the horizon as seen from the
          record that asks; an event that is itself older (by a grant) is compared with everything ever accepted.
          The latest remembered one at a smaller place (same partition, or an earlier epoch) makes an event a duplicate
          if the payload is the same, a conflict otherwise.
Target    of the events accepted at smaller places under the target's identity, the latest usage of the same tenant.
Pricing   an adjustment with one names the versions of whatever corrects the event from then on; rule and currency only
          where no money of the event stands yet, else another currency is refused. The first ends its quarantine.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa

from sinks import tables
from sinks.contract import BackfillGrant
from sinks.memory import MemorySink
from tests.simulation.books import EXACT, bill
from tests.simulation.log import EpochLog, Fact, Log, SimulatedRecord
from topics.block import DIMENSION_COLUMNS
from topics.events import AdjustmentEvent, AnyEvent, UsageEvent, VoidEvent
from topics.identity import identity_words
from topics.payload import payload_hash
from topics.reasons import Reason

Place = tuple[int, int, int, int]  # (epoch, partition, offset, index)
Row = dict[str, Any]
AMOUNTS = ("base_cost", *tables.AMOUNTS)
PRICING = ("pricing", "unpriced_reason", "price_version", "rule_version", "rule_id", "currency")
PLACE_COLUMNS = ("topic_epoch", "source_partition", "source_offset", "batch_index")
TOTAL_KEY = (*tables.TOTALS_KEY, "topic_epoch", "source_partition")
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DifferenceError(AssertionError):
    """The store does not hold what the log says; the message names the first event that differs."""


@dataclass(slots=True)
class _Accepted:
    place: Place
    event: AnyEvent
    payload: int
    row: Row
    sums: dict[str, Decimal | None]  # its amounts and what adjustments added
    pricing: Row  # as the next correction of it says: where its money stands, and the versions it was rated with last
    voided: bool = False


@dataclass(slots=True)
class Truth:
    """The answer for a whole log."""

    log: Log
    verdicts: dict[Place, str] = field(default_factory=dict)
    rows: dict[Place, Row] = field(default_factory=dict)
    dead: dict[Place, Reason] = field(default_factory=dict)
    totals: dict[tuple[Any, ...], list[Row]] = field(default_factory=dict)  # key -> one row per version, ascending
    checkpoints: dict[tuple[int, int, int], Row] = field(default_factory=dict)  # (epoch, partition, next_offset)
    _accepted: dict[tuple[int, int], list[_Accepted]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for epoch in self.log.epochs:
            for partition, records in epoch.partitions.items():
                self._pass(epoch, partition, records)
        self._add_up()

    # What is true

    def _pass(self, epoch: EpochLog, partition: int, records: Iterable[SimulatedRecord]) -> None:
        number = epoch.parameters.topic_epoch
        counts = dict.fromkeys(
            ("events", "accepted", "duplicates", "dead_lettered", "voids", "adjustments", "unpriced"), 0
        )
        newest = 0
        for record in records:
            newest = max(newest, record.timestamp)
            for index, fact in enumerate(record.facts):
                place = (number, partition, record.offset, index)
                verdict = self.verdicts[place] = self._verdict(epoch, place, record, fact)
                counts["events"] += 1
                if verdict in ("accepted", "duplicate"):
                    counts["accepted" if verdict == "accepted" else "duplicates"] += 1
                else:
                    counts["dead_lettered"] += 1
                    self.dead[place] = Reason(verdict)
                if verdict == "accepted":
                    row = self.rows[place]
                    counts["voids"] += row["kind"] == "void"
                    counts["adjustments"] += row["kind"] == "adjustment"
                    counts["unpriced"] += row["kind"] == "usage" and row["pricing"] == "unpriced"
            self.checkpoints[number, partition, record.offset + 1] = {
                "topic_epoch": number,
                "source_partition": partition,
                "next_offset": record.offset + 1,
                **counts,
                "max_record_time": EPOCH + timedelta(milliseconds=newest),
            }

    def _verdict(self, epoch: EpochLog, place: Place, record: SimulatedRecord, fact: Fact) -> str:
        event = fact.event
        if event is None:
            return str(fact.refused)
        now = EPOCH + timedelta(milliseconds=record.timestamp)
        horizon = timedelta(seconds=epoch.parameters.dedup_horizon_seconds)
        if event.time - now > timedelta(seconds=epoch.parameters.future_skew_seconds):
            return Reason.FUTURE_TIME
        old = now - event.time > horizon
        if old and not any(_granted(grant, event, now) for grant in self.log.grants):
            return Reason.TOO_LATE
        identity = identity_words(event.source, event.id)
        payload = payload_hash(event)
        known = [one for one in self._before(identity, place) if old or now - one.event.time <= horizon]
        if known:
            return "duplicate" if known[-1].payload == payload else Reason.CONFLICTING_DUPLICATE
        row = self._usage_row(event, epoch) if isinstance(event, UsageEvent) else self._targeted_row(event, place)
        if isinstance(row, Reason):
            return row
        row |= dict(zip(PLACE_COLUMNS, place, strict=True))
        row |= {
            "event_time": event.time,
            "record_time": now,
            "source": event.source,
            "id": event.id,
            "identity_high": identity[0],
            "identity_low": identity[1],
            "payload_hash": payload,
            "traceparent": event.traceparent,
        }
        self.rows[place] = row
        self._accepted.setdefault(identity, []).append(
            _Accepted(place, event, payload, row, {name: row[name] for name in AMOUNTS}, {n: row[n] for n in PRICING})
        )
        return "accepted"

    def _before(self, identity: tuple[int, int], place: Place) -> list[_Accepted]:
        """Accepted events of this identity at smaller places of this partition or in earlier epochs, in order."""
        known = self._accepted.get(identity, [])
        mine = [one for one in known if one.place < place and (one.place[0] < place[0] or one.place[1] == place[1])]
        return sorted(mine, key=lambda one: one.place)

    def _usage_row(self, event: UsageEvent, epoch: EpochLog) -> Row:
        seconds = epoch.parameters.window_seconds
        billed = bill(event)
        return {
            **{name: str(getattr(event, name)) for name in DIMENSION_COLUMNS},
            "window_start": EPOCH + (event.time - EPOCH) // timedelta(seconds=seconds) * timedelta(seconds=seconds),
            "kind": "usage",
            "target_high": 0,
            "target_low": 0,
            "note": "",
            "usage": dict(event.usage),
            "pricing": billed.pricing,
            "unpriced_reason": billed.unpriced_reason,
            "price_version": billed.price_version,
            "rule_version": billed.rule_version,
            "rule_id": billed.rule_id,
            "currency": billed.currency,
            **billed.amounts,
        }

    def _targeted_row(self, event: VoidEvent | AdjustmentEvent, place: Place) -> Row | Reason:
        identity = identity_words(event.target_source, event.target_id)
        known = self._before(identity, place)
        if not known:
            return Reason.TARGET_UNKNOWN
        own = [one for one in known if one.event.subject == event.subject]
        if not own:
            return Reason.TARGET_OF_OTHER_TENANT
        usages = [one for one in own if isinstance(one.event, UsageEvent)]
        if not usages:
            return Reason.TARGET_NOT_USAGE
        target = usages[-1]
        if target.voided:
            return Reason.TARGET_ALREADY_VOIDED
        given = event.pricing if isinstance(event, AdjustmentEvent) else None
        has_money = target.sums["customer_charge"] is not None
        if given is not None and has_money and given.currency != target.pricing["currency"]:
            return Reason.CURRENCY_MISMATCH
        about = {"target_high": identity[0], "target_low": identity[1], "note": event.reason}
        row = dict(target.row) | about | target.pricing
        if isinstance(event, VoidEvent):
            target.voided = True
            usage = {meter: -quantity for meter, quantity in target.row["usage"].items()}
            taken_back = {name: None if amount is None else EXACT.minus(amount) for name, amount in target.sums.items()}
            return row | {"kind": "void", "usage": usage} | taken_back
        amounts: dict[str, Decimal] = {name: getattr(event.amounts, name) for name in tables.AMOUNTS}
        amounts["base_cost"] = EXACT.add(amounts["provider_reward"], amounts["platform_fee"])
        for name, amount in amounts.items():
            target.sums[name] = EXACT.add(target.sums[name] or Decimal(0), amount)
        said: Row = {"pricing": "rated", "unpriced_reason": ""}
        if given is not None:
            waited = target.pricing["pricing"] == "unpriced"
            target.pricing |= said | {"price_version": given.price_version, "rule_version": given.rule_version}
            if not has_money:
                target.pricing |= {"rule_id": given.rule_id, "currency": given.currency}
            said = target.pricing | {"pricing": "rated_later" if waited else "rerated"}
        return row | {"kind": "adjustment", "usage": {}} | said | amounts

    def _add_up(self) -> None:
        sums: dict[tuple[Any, ...], Row] = {}
        for place in sorted(self.rows):
            row = self.rows[place]
            key = tuple(row[name] for name in TOTAL_KEY)
            before = sums.get(key) or {
                **dict(zip(TOTAL_KEY, key, strict=True)),
                **dict.fromkeys(("ledger_rows", "net_events", "unpriced_events"), 0),
                **dict.fromkeys(tables.AMOUNTS, Decimal(0)),
                "usage": {},
            }
            net = {"usage": 1, "void": -1, "adjustment": 0}[row["kind"]]
            total = before | {
                "last_offset": row["source_offset"],
                "ledger_rows": before["ledger_rows"] + 1,
                "net_events": before["net_events"] + net,
                "unpriced_events": before["unpriced_events"]
                + {"unpriced": net, "rated_later": -1}.get(row["pricing"], 0),
                "usage": dict(before["usage"]),
            }
            for name in tables.AMOUNTS:
                total[name] = EXACT.add(total[name], row[name] or Decimal(0))
            for meter, quantity in row["usage"].items():
                total["usage"][meter] = EXACT.add(total["usage"].get(meter, Decimal(0)), quantity)
            sums[key] = total
            versions = self.totals.setdefault(key, [])
            if versions and versions[-1]["last_offset"] == total["last_offset"]:
                versions.pop()  # events of one record come together
            versions.append(total)
        for versions in self.totals.values():
            for total in versions:
                total["usage"] = {meter: quantity for meter, quantity in total["usage"].items() if quantity}

    def counts(self) -> Counter[str]:
        """Events by verdict, accepted rows by kind, and how many of them are unpriced."""
        return (
            Counter(str(verdict) for verdict in self.verdicts.values())
            + Counter(str(row["kind"]) for row in self.rows.values())
            + Counter(str(row["pricing"]) for row in self.rows.values() if row["pricing"] != "rated")
        )

    # Comparing

    def describe(self, place: Place) -> str:
        """The event at a place, for a message."""
        number, partition, offset, index = place
        epoch = next(epoch for epoch in self.log.epochs if epoch.parameters.topic_epoch == number)
        fact = epoch.partitions[partition][offset].facts[index]
        event = fact.event
        what = f"garbage ({fact.refused})" if event is None else f"{type(event).__name__} {event.source!r} {event.id!r}"
        return f"epoch {number} partition {partition} offset {offset} index {index}: {what} is {self.verdicts[place]}"

    def check_ledger(self, rows: pa.Table) -> None:
        """Every row is the one that belongs at its place."""
        for row in _rows(rows):
            place = _place(row)
            expected = self.rows.get(place)
            if expected is None:
                raise DifferenceError(f"a ledger row stands where none belongs; {self._where(place)}; it says {row}")
            _compare(row, expected, lambda place=place: self.describe(place))  # type: ignore[misc]

    def check_totals(self, rows: pa.Table) -> None:
        """Every total is the sum of exactly the ledger rows up to its version."""
        for row in _rows(rows):
            key = tuple(row[name] for name in TOTAL_KEY)
            versions = self.totals.get(key, [])
            number = bisect_right([version["last_offset"] for version in versions], row["last_offset"])
            expected = versions[number - 1] if number else None
            if expected is None or expected["last_offset"] != row["last_offset"]:
                raise DifferenceError(f"a total with version {row['last_offset']}, where no row ends, for {key}")
            _compare(row, expected, lambda total=expected: self._describe_total(total))  # type: ignore[misc]

    def check_dead_letters(self, rows: pa.Table) -> None:
        """Every dead letter stands at a refused event's place, with its reason."""
        for row in _rows(rows.select([*PLACE_COLUMNS, "reason"])):
            self._check_reason(_place(row), row["reason"])

    def check_rejection(self, epoch: int, partition: int, offset: int, index: int, reason: Reason) -> None:
        """The same, for what is published."""
        self._check_reason((epoch, partition, offset, index), reason)

    def _check_reason(self, place: Place, reason: str) -> None:
        if self.dead.get(place) != reason:
            raise DifferenceError(f"dead letter with reason {reason}; {self._where(place)}")

    def check_checkpoints(self, rows: pa.Table) -> None:
        """Counts are those of the log up to next_offset."""
        for row in _rows(rows):
            key = (row["topic_epoch"], row["source_partition"], row["next_offset"])
            expected = self.checkpoints.get(key)
            if expected is None:
                raise DifferenceError(f"a checkpoint at {key}, where no record ends")
            found = {name: row[name] for name in expected}
            _compare(found, expected, lambda key=key: f"checkpoint {key}")  # type: ignore[misc]

    def check_final(self, sink: MemorySink) -> None:
        """Nothing is missing, and nothing is there that should not be."""
        self._check_places("ledger row", sink.ledger, self.rows)
        self.check_ledger(_arrow(sink.ledger, tables.LEDGER))
        self._check_places("dead letter", sink.dead_letters, self.dead)
        self.check_dead_letters(_arrow(sink.dead_letters, tables.DEAD_LETTERS))
        totals = _arrow(sink.totals, tables.TOTALS)
        self.check_totals(totals)
        versions = {tuple(row[name] for name in TOTAL_KEY): row["last_offset"] for row in _rows(totals)}
        for key, rows in self.totals.items():
            if versions.get(key) != rows[-1]["last_offset"]:
                raise DifferenceError(
                    f"the total of {key} stands at {versions.get(key)}, not {rows[-1]['last_offset']}; first missing: "
                    + self._first_missing(key, versions.get(key, -1))
                )
        checkpoints = _arrow(sink.checkpoints, tables.CHECKPOINTS)
        self.check_checkpoints(checkpoints)
        ends = {(row["topic_epoch"], row["source_partition"]): row["next_offset"] for row in _rows(checkpoints)}
        for epoch in self.log.epochs:
            for partition, end in epoch.ends.items():
                if ends.get((epoch.parameters.topic_epoch, partition), 0) != end:
                    raise DifferenceError(f"partition {partition} of epoch {epoch.parameters.topic_epoch}: {ends}")

    def _describe_total(self, total: Row) -> str:
        key = tuple(total[name] for name in TOTAL_KEY)
        version = total["last_offset"]
        last = max(place for place in self.rows if place[:2] == key[-2:] and place[2] == version)
        return f"total of {key} at version {version}, with which came {self.describe(last)}"

    def _first_missing(self, key: tuple[Any, ...], version: int) -> str:
        place = min(
            place
            for place, row in self.rows.items()
            if place[2] > version and tuple(row[name] for name in TOTAL_KEY) == key
        )
        return self.describe(place)

    def _check_places(self, what: str, stored: pl.DataFrame, expected: Mapping[Place, object]) -> None:
        places = set(stored.select(PLACE_COLUMNS).rows())
        missing = sorted(expected.keys() - places)
        if missing:
            raise DifferenceError(f"the {what} is missing; {self.describe(missing[0])}")
        surplus = sorted(places - expected.keys())
        if surplus:
            raise DifferenceError(f"a {what} stands where none belongs; {self._where(surplus[0])}")

    def _where(self, place: Place) -> str:
        return self.describe(place) if place in self.verdicts else f"there is no event at {place}"


def _granted(grant: BackfillGrant, event: AnyEvent, now: datetime) -> bool:
    return (
        grant.source == event.source
        and grant.event_time_from <= event.time < grant.event_time_to
        and grant.valid_from <= now < grant.valid_to
    )


def _arrow(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    return frame.select(schema.names).to_arrow()


def _rows(table: pa.Table) -> Iterable[Row]:
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    if "usage" in columns:
        # A list of pairs from a map, of structs from a list of structs.
        columns["usage"] = [
            dict(tuple(entry.values()) if isinstance(entry, dict) else entry for entry in usage)
            for usage in columns["usage"]
        ]
    names = list(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _place(row: Row) -> Place:
    return row["topic_epoch"], row["source_partition"], row["source_offset"], row["batch_index"]


def _compare(found: Row, expected: Row, what: Callable[[], str]) -> None:
    if found == expected:
        return
    names = [name for name in {**expected, **found} if found.get(name, "absent") != expected.get(name, "absent")]
    differences = (f"{name} is {found.get(name, 'absent')}, not {expected.get(name, 'absent')}" for name in names)
    raise DifferenceError(f"{what()}: {'; '.join(differences)}")
