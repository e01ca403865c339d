"""The oracle's own ledger: walks the log in order and says what every event comes to, one event at a time.

Rules   The first event of an identity (source, id) in a partition counts; a copy with the same content is a
        duplicate, one with other content a dead letter. A void mirrors all that its target was billed so far, in the
        target's window; an adjustment adds its own amounts there. Time is judged against the record's time.
        An adjustment that says what it was rated with ends its target's quarantine, and gives it rule and currency
        where no money of it stands yet; where some does, it has to be in the same currency.
Units   Amounts are Decimal with 12 places in the line's currency; None where nothing can be priced, never 0.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from pathlib import Path

from tollstream.demo.oracle.books import Books, Rating
from tollstream.demo.oracle.events import AMOUNTS, BrokenError, Event, read_event
from tollstream.demo.oracle.published import Published

Place = tuple[int, int, int]  # (partition, offset, index)
Key = tuple[str, str, int, str]  # (builder, tenant, window start in seconds, currency)
ZERO = Decimal(0)
MICROSECONDS = 1_000_000
HORIZON_SECONDS = 35 * 86_400
SKEW_SECONDS = 300
# Read as data: the catalogue is part of the contract.
_CATALOGUE = tomllib.loads((Path(__file__).parents[3] / "topics" / "meters.toml").read_text("utf-8"))
BUILT_IN_METERS = {name: entry["kind"] for name, entry in _CATALOGUE.items()}


@dataclass(slots=True)
class Line:
    """One accepted event in the ledger."""

    place: Place
    kind: str
    builder: str
    tenant: str
    window_start: int  # seconds since 1970
    rating: Rating
    amounts: tuple[Decimal, ...] | None  # in the order of AMOUNTS; None when unpriced
    pricing: str  # rated | unpriced | rerated | rated_later


@dataclass(slots=True)
class Total:
    """What a tenant comes to in one window."""

    amounts: list[Decimal] = field(default_factory=lambda: [ZERO] * len(AMOUNTS))
    ledger_rows: int = 0
    net_events: int = 0  # usage minus voids
    unpriced_events: int = 0  # the same, of what waits for a price

    def add(self, line: Line) -> None:
        sign = {"usage": 1, "void": -1, "adjustment": 0}[line.kind]
        self.ledger_rows += 1
        self.net_events += sign
        self.unpriced_events += {"unpriced": sign, "rated_later": -1}.get(line.pricing, 0)
        if line.amounts is not None:
            self.amounts = [sum_ + amount for sum_, amount in zip(self.amounts, line.amounts, strict=True)]


@dataclass(slots=True)
class OracleResult:
    """Everything the log comes to: outcomes, ledger lines by place, totals by tenant and window, and overall."""

    published: int = 0
    duplicates: int = 0
    lines: dict[Place, Line] = field(default_factory=dict)
    dead_letters: dict[Place, str] = field(default_factory=dict)  # place -> reason
    totals: dict[Key, Total] = field(default_factory=dict)

    @property
    def outcomes(self) -> dict[str, int]:
        """published = accepted + duplicates + dead_lettered; voided, adjusted and unpriced are among the accepted."""
        kinds = Counter(line.kind for line in self.lines.values())
        return {
            "published": self.published,
            "accepted": len(self.lines),
            "duplicates": self.duplicates,
            "dead_lettered": len(self.dead_letters),
            "voided": kinds["void"],
            "adjusted": kinds["adjustment"],
            "unpriced": sum(line.amounts is None and line.kind == "usage" for line in self.lines.values()),
        }

    @property
    def sums(self) -> dict[str, Decimal]:
        """Each amount over everything that was accepted."""
        with exact():
            return {
                name: sum((total.amounts[number] for total in self.totals.values()), ZERO)
                for number, name in enumerate(AMOUNTS)
            }


@dataclass(slots=True)
class _Billed:
    """An accepted event and what it stands for by now."""

    event: Event
    line: Line
    amounts: tuple[Decimal, ...] | None
    rating: Rating  # of the line, until a re-rating says otherwise
    voided: bool = False


def exact() -> AbstractContextManager[Context]:
    """A decimal context in which no sum or product of money is ever rounded by itself."""
    return localcontext(prec=80, rounding=ROUND_HALF_EVEN)


def recompute(
    published: Iterable[Published],
    prices_path: Path,
    rules_path: Path,
    window_seconds: int,
    *,
    meters: Mapping[str, str] | None = None,
    horizon_seconds: int = HORIZON_SECONDS,
    skew_seconds: int = SKEW_SECONDS,
) -> OracleResult:
    """What the log comes to under these books (TOML files or folders of them). Raises OSError, ValueError, KeyError
    for books that cannot be read; whatever is wrong with an event is an outcome. `meters` (name ->
    inference | business) are those that may be used: the built-in catalogue's, unless given."""
    meters = BUILT_IN_METERS if meters is None else meters
    books = Books.load(prices_path, rules_path, meters)
    result = OracleResult()
    billed: dict[tuple[int, str, str], _Billed] = {}
    with exact():
        for each in sorted(published, key=lambda one: (one.partition, one.offset, one.index)):
            place = (each.partition, each.offset, each.index)
            result.published += 1
            try:
                event = read_event(each, meters)
                _judge_time(event, each.record_time, horizon_seconds, skew_seconds)
                before = billed.get((each.partition, event.source, event.id))
                if before is not None and before.event == event:
                    result.duplicates += 1
                    continue
                if before is not None:
                    raise BrokenError("conflicting_duplicate")
                if event.kind == "usage":
                    line = _usage_line(place, event, books, window_seconds)
                else:
                    line = _correction_line(place, event, billed)
            except BrokenError as error:
                result.dead_letters[place] = error.reason
                continue
            billed[each.partition, event.source, event.id] = _Billed(event, line, line.amounts, line.rating)
            result.lines[place] = line
            key = (line.builder, line.tenant, line.window_start, line.rating.currency)
            result.totals.setdefault(key, Total()).add(line)
    return result


def _judge_time(event: Event, record_time: int, horizon_seconds: int, skew_seconds: int) -> None:
    if event.time > record_time + skew_seconds * MICROSECONDS:
        raise BrokenError("future_time")
    if event.time < record_time - horizon_seconds * MICROSECONDS:
        raise BrokenError("too_late")


def _usage_line(place: Place, event: Event, books: Books, window_seconds: int) -> Line:
    rating = books.rate(event)
    start = event.time // (window_seconds * MICROSECONDS) * window_seconds
    pricing = "unpriced" if rating.amounts is None else "rated"
    return Line(place, "usage", event.tag("builder"), event.tag("tenant"), start, rating, rating.amounts, pricing)


def _correction_line(place: Place, event: Event, billed: dict[tuple[int, str, str], _Billed]) -> Line:
    """The line of a void or an adjustment, whose target is changed by it. Raises BrokenError."""
    if event.target is None:
        raise BrokenError("missing_field")
    target = billed.get((place[0], *event.target))
    if target is None:
        raise BrokenError("target_unknown")
    if target.event.kind != "usage":
        raise BrokenError("target_not_usage")
    builder, tenant = target.line.builder, target.line.tenant
    if (event.tag("builder"), event.tag("tenant")) != (builder, tenant):
        raise BrokenError("target_of_other_tenant")
    if target.voided:
        raise BrokenError("target_already_voided")
    waits = bool(target.rating.unpriced_reason)
    if event.kind == "void":
        amounts = None if target.amounts is None else tuple(-amount for amount in target.amounts)
        target.voided = True
        pricing = "unpriced" if waits else "rated"
    else:
        pricing = "rated"
        if event.pricing:
            pricing = "rated_later" if waits else "rerated"
            target.rating = _rerated(target, event.pricing)
        amounts = event.amounts
        so_far = target.amounts or (ZERO,) * len(AMOUNTS)
        target.amounts = tuple(before + more for before, more in zip(so_far, amounts, strict=True))
    return Line(place, event.kind, builder, tenant, target.line.window_start, target.rating, amounts, pricing)


def _rerated(target: _Billed, pricing: tuple[str, ...]) -> Rating:
    """What the target's corrections say from now on. Raises BrokenError."""
    price_version, rule_version, rule_id, currency = pricing
    old = target.rating
    if target.amounts is not None and currency != old.currency:
        raise BrokenError("currency_mismatch")
    if target.amounts is not None:
        rule_id, currency = old.rule_id, old.currency
    return Rating(old.amounts, "", currency, price_version, rule_version, rule_id)
