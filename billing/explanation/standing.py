"""How an event stands: what the ledger holds for it, and every void and adjustment since, with the running sum.

Rows are ledger rows as `sinks.frames` reads them back, by column name. A place is (epoch, partition, offset, index).
A void has to be minus the sum before it. An adjustment of a re-rating has to be what its books make of the usage, less
what rating made of it so far (what was corrected by hand stays on top), or less all that stands (it is replaced); any
other adjustment is taken for what its publisher says it is, and must only balance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing.explanation.usage import AMOUNTS, Amounts, UsageExplanation
from billing.money import EXACT

Row = Mapping[str, Any]
Place = tuple[int, int, int, int]
ZERO = Decimal(0)
COLUMNS = ("base_cost", *AMOUNTS)
NOTHING = Amounts(ZERO, ZERO, ZERO, ZERO, ZERO)
Rerate = Callable[[Row], UsageExplanation | None]  # of an adjustment: what its books make of the usage


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the ledger holds otherwise than the explanation has it; "" and None are shown as nothing."""

    name: str
    ledger: str
    explained: str


@dataclass(frozen=True, slots=True)
class Correction:
    """A void or adjustment, and how the event stands after it."""

    row: Row
    amounts: Amounts | None  # None: it takes back what has no price
    before: Amounts | None  # how the event stood
    standing: Amounts | None
    rerated: UsageExplanation | None  # of a re-rating: what its books make of the usage
    basis: Amounts | None  # of a re-rating: what it is the difference to, `before` or without what was done by hand
    differences: tuple[Difference, ...]


def place_of(row: Row) -> Place:
    """Where in the log a row comes from."""
    return row["topic_epoch"], row["source_partition"], row["source_offset"], row["batch_index"]


def amounts_of(row: Row) -> Amounts | None:
    """The amounts of a ledger row, None where it has no price."""
    if any(row[name] is None for name in COLUMNS):
        return None
    return Amounts(**{name: row[name] for name in COLUMNS})


def corrections_of(target: Row, rows: Iterable[Row], rerate: Rerate) -> tuple[Correction, ...]:
    """The voids and adjustments among `rows` that are about `target`, in the order of the log, with running sums."""
    found: list[Correction] = []
    running = by_rating = amounts_of(target)
    for row in _about(target, rows):
        amounts, before = amounts_of(row), running
        rerated = rerate(row) if row["kind"] == "adjustment" else None
        basis: Amounts | None = None
        differences: tuple[Difference, ...] = ()
        if row["kind"] == "void":
            differences = _of(amounts, minus(running) if running else None)
        elif rerated is not None:
            basis, differences = _rerating(amounts, rerated.amounts, by_rating, running)
        if amounts is not None:
            running = plus(running or NOTHING, amounts)
            by_rating = plus(by_rating or NOTHING, amounts) if rerated is not None else by_rating
            differences += () if amounts.balanced else (Difference("balance", "does not balance", "balances"),)
        found.append(Correction(row, amounts, before, running, rerated, basis, differences))
    return tuple(found)


def _rerating(
    amounts: Amounts | None, due: Amounts | None, by_rating: Amounts | None, running: Amounts | None
) -> tuple[Amounts, tuple[Difference, ...]]:
    """What a re-rating is the difference to, and where it is neither: that what is done by hand stays is the rule."""
    keep, replace = by_rating or NOTHING, running or NOTHING
    if due is not None and amounts == plus(due, minus(replace)) != plus(due, minus(keep)):
        return replace, ()
    return keep, _of(amounts, plus(due, minus(keep)) if due is not None else None)


def target_of(correction: Row, rows: Iterable[Row]) -> Row | None:
    """The usage that a void or adjustment is about: of the same tenant, the latest under that identity before it."""
    identity = correction["target_high"], correction["target_low"]
    before = [
        row
        for row in rows
        if row["kind"] == "usage"
        and (row["identity_high"], row["identity_low"]) == identity
        and (row["builder"], row["tenant"]) == (correction["builder"], correction["tenant"])
        and place_of(row) < place_of(correction)
    ]
    return max(before, key=place_of, default=None)


def _about(target: Row, rows: Iterable[Row]) -> list[Row]:
    rows = list(rows)
    place = place_of(target)
    mine = []
    for row in rows:
        found = target_of(row, rows) if row["kind"] != "usage" else None
        if found is not None and place_of(found) == place:
            mine.append(row)
    return sorted(mine, key=place_of)


def compare(explained: UsageExplanation, row: Row) -> tuple[Difference, ...]:
    """Where a usage row is not what the explanation comes to: reason, rule, currency, and every amount."""
    rule = explained.resolution.winner
    words = {
        "unpriced_reason": explained.unpriced_reason,
        "rule_id": rule.id if rule else "",
        "currency": explained.currency,
    }
    found = [Difference(name, row[name], told) for name, told in words.items() if row[name] != told]
    return (*found, *_of(amounts_of(row), explained.amounts))


def _of(ledger: Amounts | None, explained: Amounts | None) -> tuple[Difference, ...]:
    pairs = [(name, _amount(ledger, name), _amount(explained, name)) for name in COLUMNS]
    return tuple(Difference(name, _text(held), _text(told)) for name, held, told in pairs if held != told)


def _amount(amounts: Amounts | None, name: str) -> Decimal | None:
    return getattr(amounts, name) if amounts else None


def minus(amounts: Amounts) -> Amounts:
    """Each amount with the opposite sign."""
    return Amounts(**{name: EXACT.minus(getattr(amounts, name)) for name in COLUMNS})


def plus(left: Amounts, right: Amounts) -> Amounts:
    """Amount by amount."""
    return Amounts(**{name: EXACT.add(getattr(left, name), getattr(right, name)) for name in COLUMNS})


def sum_of(rows: Sequence[Amounts | None]) -> Amounts:
    """Of any number; what has no price adds nothing."""
    result = NOTHING
    for each in rows:
        result = plus(result, each) if each else result
    return result


def _text(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:.12f}"
