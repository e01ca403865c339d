"""Closings on record: who closed which period of a Builder, over what was wrong, and how far it got.

States    planned    somebody closes; whoever plans it next takes it over, and the first one notices at its next entry
          frozen     the input is fixed; everything after it is a function of it, whoever computes it, however often
          numbered   it has its first number
          written    every statement stands, with its lines, draws and postings
          closed     they count, and nothing of the period changes any more
          abandoned  nothing of the attempt counts; the next one begins anew
Units     `cut` is offsets by (topic epoch, partition); sums Decimal by currency. Entries are never changed or deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

import pyarrow as pa

from billing.periods import Cycle, CycleKind, Period, parse_period
from sinks.journals import EPOCH, Journal
from sinks.rerates import Partition
from sinks.tables import AMOUNTS, MONEY, USAGE

PLANNED, FROZEN, NUMBERED, WRITTEN, CLOSED = "planned", "frozen", "numbered", "written", "closed"
ABANDONED = "abandoned"
SECOND = pa.timestamp("s", tz="UTC")

CLOSINGS = pa.schema(
    [
        ("builder", pa.string()),
        ("sequence", pa.uint32()),
        ("closing_id", pa.string()),
        ("period", pa.string()),
        ("period_start", SECOND),
        ("period_end", SECOND),
        ("cycle", pa.string()),
        ("attempt", pa.uint32()),
        ("state", pa.string()),
        ("by", pa.string()),
        ("reason", pa.string()),
        ("overrides", pa.string()),
        ("cut", pa.string()),
        ("inputs", pa.string()),
        ("tenants", pa.uint64()),
        ("frozen_rows", pa.uint64()),
        ("frozen_checksum", pa.uint64()),
        ("first_number", pa.uint64()),
        ("statements", pa.uint64()),
        ("sums", pa.string()),
        ("record_id", pa.string()),
    ]
)
CLOSING_USAGE = pa.schema(
    [
        ("builder", pa.string()),
        ("closing_id", pa.string()),
        ("tenant", pa.string()),
        ("period_start", SECOND),
        ("reason", pa.string()),
        ("rule_id", pa.string()),
        ("provider", pa.string()),
        ("feature", pa.string()),
        ("currency", pa.string()),
        ("net_events", pa.int64()),
        ("usage", USAGE),
        *((name, MONEY) for name in AMOUNTS),
    ]
)
Sums = Mapping[str, Mapping[str, Decimal]]  # currency -> net, tax, total, paid, due


@dataclass(frozen=True, slots=True)
class Words:
    """What a rule says to the customer, and the meter it charges by ("" without one)."""

    label: str
    unit: str
    reason: str
    meter: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a frozen closing is made from, beside the frozen usage: places of journals, and the words of rules."""

    plans: int = 0  # plan books of the Builder up to this place
    rates: int = 0  # exchange rates up to this place
    grants: int = 0  # grants of the Builder up to this place
    currency: str = ""  # the charge currency
    words: Mapping[str, Mapping[str, Words]] = field(default_factory=dict)  # period -> rule id -> words


@dataclass(frozen=True, slots=True)
class Closing:
    """One entry; each one of an attempt repeats what was known before it."""

    builder: str
    closing_id: str
    period: Period
    cycle: Cycle
    attempt: int
    state: str
    by: str
    reason: str = ""
    overrides: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict
    )  # lag | unpriced | residual -> found, by, reason
    cut: Mapping[Partition, int] = field(default_factory=dict)
    inputs: Inputs = field(default_factory=Inputs)
    tenants: int = 0
    frozen_rows: int = 0
    frozen_checksum: int = 0
    first_number: int = 0
    statements: int = 0
    sums: Sums = field(default_factory=dict)
    sequence: int = 0
    record_id: str = ""
    recorded_at: datetime = EPOCH


def closing_row(entry: Closing) -> dict[str, Any]:
    """A row of `CLOSINGS`."""
    row = {name: getattr(entry, name) for name in CLOSINGS.names if name in Closing.__dataclass_fields__}
    cycle, inputs = entry.cycle, entry.inputs
    words = {
        period: {rule: [each.label, each.unit, each.reason, each.meter] for rule, each in rules.items()}
        for period, rules in inputs.words.items()
    }
    return row | {
        "period": entry.period.label,
        "period_start": entry.period.start,
        "period_end": entry.period.end,
        "cycle": _json([cycle.kind, cycle.zone, cycle.anchor.isoformat() if cycle.anchor else None]),
        "overrides": _json(entry.overrides),
        "cut": _json({f"{epoch}/{partition}": offset for (epoch, partition), offset in entry.cut.items()}),
        "inputs": _json([inputs.plans, inputs.rates, inputs.grants, inputs.currency, words]),
        "sums": _json(
            {currency: {name: f"{each:f}" for name, each in sums.items()} for currency, sums in entry.sums.items()}
        ),
    }


def closing_of(row: Mapping[str, Any]) -> Closing:
    """The entry that `closing_row` made, with `recorded_at`."""
    kind, zone, anchor = json.loads(row["cycle"])
    cycle = Cycle(cast("CycleKind", kind), zone, date.fromisoformat(anchor) if anchor else None)
    plans, rates, grants, currency, words = json.loads(row["inputs"])
    given = {name: row[name] for name in Closing.__dataclass_fields__ if name in row}
    return Closing(
        **given
        | {
            "period": parse_period(cycle, row["period"]),
            "cycle": cycle,
            "overrides": json.loads(row["overrides"]),
            "cut": {_partition(place): offset for place, offset in json.loads(row["cut"]).items()},
            "inputs": Inputs(
                plans,
                rates,
                grants,
                currency,
                {period: {rule: Words(*each) for rule, each in rules.items()} for period, rules in words.items()},
            ),
            "sums": {
                currency: {name: Decimal(text) for name, text in sums.items()}
                for currency, sums in json.loads(row["sums"]).items()
            },
        }
    )


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _partition(place: str) -> Partition:
    epoch, partition = place.split("/")
    return int(epoch), int(partition)


@dataclass(frozen=True, slots=True)
class UsageScope:
    """Which usage a closing looks at: that of its period, and what has become of those closed before."""

    builder: str
    start: datetime  # of the period, [start, end)
    end: datetime
    cut: Mapping[Partition, int]  # usage below these offsets
    earlier: tuple[datetime, ...] = ()  # starts of closed periods, one after the other up to `start`
    previous_cut: Mapping[Partition, int] = field(default_factory=dict)  # of the closing before


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a partition is stored, and when Kafka appended the latest of it."""

    next_offset: int
    newest: datetime


@dataclass(frozen=True, slots=True)
class Frozen:
    """What stands of a frozen copy: how many rows, and the sum of their hashes."""

    rows: int
    checksum: int


@dataclass(frozen=True, slots=True)
class Written:
    """What stands of what a closing wrote."""

    statements: int
    first_number: int
    last_number: int
    sums: Sums
    posting_sets: int
    unbalanced: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Usage of a period that waits for a price."""

    reason: str
    provider: str
    model: str
    events: int
    tenants: int


@dataclass(frozen=True, slots=True)
class Apart:
    """How far ledger and totals of a period are apart, by currency: zero, or something is wrong."""

    currency: str
    lines: int  # so many lines of bills
    events: int
    amount: Decimal  # sum of |difference| over the four amounts, and of what ledger rows do not add up


# First and last tenant, both included, in order of bytes; or a few that are named.
TenantRange = tuple[str, str] | frozenset[str]
LAST_TENANT = "\U0010ffff"


def covering(lasts: Sequence[str]) -> list[TenantRange]:
    """Ranges that end with these tenants, in order of bytes, and leave nobody out between, before or behind them."""
    ends = [*list(dict.fromkeys(lasts))[:-1], LAST_TENANT]
    return list(zip(["", *(f"{last}\x00" for last in ends[:-1])], ends, strict=True))


CLOSING_JOURNAL: Journal[Closing] = Journal("closings", CLOSINGS, ("builder", "sequence"), closing_of, closing_row)
