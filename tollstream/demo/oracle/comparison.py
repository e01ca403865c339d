"""Holds what the store has against what the oracle says, row by row and total by total.

The residual is the sum of |oracle - store| over the four amounts of every ledger row and of every tenant's window:
differences that cancel each other out still show. It must be 0; so must the list of differences be empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tollstream.demo.oracle.events import AMOUNTS
from tollstream.demo.oracle.ledger import ZERO, Key, Line, OracleResult, Place, Total, exact

COUNTS = ("ledger_rows", "net_events", "unpriced_events")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs, one sentence each, and by how much money."""

    differences: tuple[str, ...]
    residual: Decimal

    @property
    def equal(self) -> bool:
        return not self.differences and not self.residual


def compare(
    result: OracleResult,
    *,
    totals: Iterable[Mapping[str, Any]],
    ledger: Iterable[Mapping[str, Any]] | None = None,
    dead_letters: Iterable[Mapping[str, Any]] | None = None,
) -> Comparison:
    """Compare with the store's rows, given as mappings from column to value.

    totals        builder, tenant, window_start, currency, the four amounts, ledger_rows, net_events, unpriced_events;
                  rows of one (builder, tenant, window_start, currency) are added up here
    ledger        source_partition, source_offset, batch_index, kind, builder, tenant, window_start, pricing, currency,
                  the four amounts (None when unpriced)
    dead_letters  source_partition, source_offset, batch_index, reason"""
    found = _Differences()
    with exact():
        _compare_totals(result, totals, found)
        if ledger is not None:
            _compare_ledger(result, ledger, found)
        if dead_letters is not None:
            _compare_dead_letters(result, dead_letters, found)
    return Comparison(tuple(found.sentences), found.residual)


class _Differences:
    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.residual = ZERO

    def check(self, what: str, expected: object, actual: object) -> None:
        """One value that has to be equal; money adds to the residual."""
        if expected == actual:
            return
        self.sentences.append(f"{what}: the oracle says {expected}, the store {actual}")
        if isinstance(expected, Decimal) or isinstance(actual, Decimal):
            self.residual += abs(_money(expected) - _money(actual))


def _compare_totals(result: OracleResult, rows: Iterable[Mapping[str, Any]], found: _Differences) -> None:
    stored: dict[Key, Total] = {}
    for row in rows:
        total = stored.setdefault(_key(row), Total())
        total.amounts = [sum_ + _money(row[name]) for sum_, name in zip(total.amounts, AMOUNTS, strict=True)]
        for name in COUNTS:
            setattr(total, name, getattr(total, name) + int(row[name]))
    for key in sorted(result.totals.keys() | stored.keys()):
        expected, actual = result.totals.get(key, Total()), stored.get(key, Total())
        what = f"total of {key[0]}/{key[1]}, window {key[2]}"
        for name, one, other in zip(AMOUNTS, expected.amounts, actual.amounts, strict=True):
            found.check(f"{what}, {name}", one, other)
        for name in COUNTS:
            found.check(f"{what}, {name}", getattr(expected, name), getattr(actual, name))


def _compare_ledger(result: OracleResult, rows: Iterable[Mapping[str, Any]], found: _Differences) -> None:
    unseen = dict(result.lines)
    for row in rows:
        place = _place(row)
        line = unseen.pop(place, None)
        if line is None:
            found.sentences.append(f"ledger row at {place}: unknown to the oracle, or there twice")
            found.residual += sum((abs(_money(row[name])) for name in AMOUNTS), ZERO)
            continue
        _compare_line(line, row, found)
    for place, line in unseen.items():
        found.sentences.append(f"ledger row at {place}: missing in the store")
        found.residual += sum((abs(amount) for amount in line.amounts or ()), ZERO)


def _compare_line(line: Line, row: Mapping[str, Any], found: _Differences) -> None:
    what = f"ledger row at {line.place}"
    found.check(f"{what}, key", (line.builder, line.tenant, line.window_start, line.rating.currency), _key(row))
    found.check(f"{what}, kind", line.kind, row["kind"])
    found.check(f"{what}, pricing", line.pricing, row["pricing"])
    for number, name in enumerate(AMOUNTS):
        found.check(f"{what}, {name}", None if line.amounts is None else line.amounts[number], row[name])


def _compare_dead_letters(result: OracleResult, rows: Iterable[Mapping[str, Any]], found: _Differences) -> None:
    stored = {_place(row): str(row["reason"]) for row in rows}
    for place in sorted(result.dead_letters.keys() | stored.keys()):
        found.check(f"dead letter at {place}", result.dead_letters.get(place), stored.get(place))


def _place(row: Mapping[str, Any]) -> Place:
    return int(row["source_partition"]), int(row["source_offset"]), int(row["batch_index"])


def _key(row: Mapping[str, Any]) -> Key:
    start = row["window_start"]
    seconds = int(start.timestamp()) if isinstance(start, datetime) else int(start)
    return str(row["builder"]), str(row["tenant"]), seconds, str(row["currency"])


def _money(value: object) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value or 0))
