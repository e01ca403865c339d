"""What a simulation has to tell, in the order in which it is told: to a program here, to people in table and page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.documents import Versions
from billing.prices import PriceBook
from billing.simulation import VIEWS, Amounts, Comparison, LeftOut, Line, Outcome
from billing.surcharges import RuleBook
from billing.windows import AMOUNT_COLUMNS
from sinks.usage import UsageRange
from tollstream.simulation.books import TrialBooks
from tollstream.simulation.figures import percent

# What became of events that are not compared, most telling first, in words for whoever decides about prices.
OUTCOMES: dict[Outcome, str] = {
    Outcome.UNPRICED_AFTER: "charged so far, but would wait for a price",
    Outcome.UNPRICED_BEFORE: "waiting for a price so far, but would have one",
    Outcome.UNPRICED: "waiting for a price so far, and still would",
    Outcome.OTHER_CURRENCY: "charged in one currency, but would be in another",
    Outcome.VOIDED: "taken back by a void",
}
REASONS = {
    "no_book": "no price book applies yet",
    "no_model": "the event names no model",
    "no_price": "no price for what was used",
    "no_rule": "no rule matches",
    "no_unit": "the event lacks the meter that its rule charges for",
}


@dataclass(frozen=True, slots=True)
class Report:
    """A comparison, and what it is a comparison of."""

    usage: UsageRange
    books: TrialBooks
    comparison: Comparison

    @property
    def compared(self) -> int:
        """Events with a price on both sides."""
        return self.comparison.events[Outcome.COMPARED]

    @property
    def events(self) -> int:
        """Usage events of the range."""
        return sum(self.comparison.events.values())

    @property
    def currencies(self) -> list[str]:
        """Of what is compared."""
        return [line.currency for line in self.comparison.totals]

    @property
    def new(self) -> list[tuple[str, PriceBook | RuleBook]]:
        """(kind, book) of what is tried."""
        books = (("rules", self.books.new_rules), ("prices", self.books.new_prices))
        return [(kind, book) for kind, book in books if book is not None]

    @property
    def whose(self) -> str:
        """In words."""
        return f"Builder {self.usage.builder}" if self.usage.builder else "all Builders"

    @property
    def versions(self) -> list[tuple[str, str, bool]]:
        """(kind, version, whether it is the new one) of the books that rate the range."""
        found = []
        for kind, books, new in (
            ("rules", self.books.rules, self.books.new_rules),
            ("prices", self.books.prices, self.books.new_prices),
        ):
            found += [(kind, each.version, new is not None) for each in applying(books, self.usage)]
        return found


def applying(books: Versions[Any], usage: UsageRange) -> list[PriceBook | RuleBook]:
    """The versions that some moment of the range is rated with."""
    return [each for number, each in enumerate(books.versions) if books.overlaps(number, usage.start, usage.end)]


def pay_more(tenants: Sequence[Line]) -> list[Line]:
    """Who would pay more, the largest difference first."""
    return _sorted([line for line in tenants if line.change.customer_charge > 0])


def pay_less(tenants: Sequence[Line]) -> list[Line]:
    """Who would pay less, the largest difference first."""
    return _sorted([line for line in tenants if line.change.customer_charge < 0])


def _sorted(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (-abs(line.change.customer_charge), line.key))


def same(tenants: Sequence[Line]) -> list[Line]:
    """Who would pay what they paid."""
    return [line for line in tenants if not line.change.customer_charge]


def amounts_of(line: Line) -> list[Decimal]:
    """Every amount of both sides."""
    return [getattr(side, name) for side in (line.before, line.after) for name in AMOUNT_COLUMNS]


def by_earnings(features: Sequence[Line]) -> list[Line]:
    """Those that would earn less than nothing first, then from the largest loss to the largest gain."""
    return sorted(features, key=lambda line: (line.after.builder_earnings >= 0, line.change.builder_earnings, line.key))


def by_change(lines: Sequence[Line]) -> list[Line]:
    """Where the customer charge changes most first."""
    return _sorted(list(lines))


def of_currency(lines: Sequence[Line], currency: str) -> list[Line]:
    """The lines in one currency."""
    return [line for line in lines if line.currency == currency]


def as_json(report: Report) -> dict[str, Any]:
    """Everything, amounts as strings with twelve places; percentages are of the customer charge."""
    found = report.comparison
    tables = {
        "tenants": (VIEWS["tenants"], [*pay_more(found.tenants), *pay_less(found.tenants), *same(found.tenants)]),
        "features": (VIEWS["features"], by_earnings(found.features)),
        "models": (VIEWS["models"], by_change(found.models)),
        "rules": (("rule_id",), by_change(found.rules)),
    }
    return {
        "from": _moment(report.usage.start),
        "to": _moment(report.usage.end),
        "builder": report.usage.builder or None,
        "books": [{"kind": kind, "version": version, "new": new} for kind, version, new in report.versions],
        "events": {"read": report.events, **{str(outcome): number for outcome, number in found.events.items()}},
        "totals": [_line((), line) for line in found.totals],
        **{name: [_line(key, line) for line in lines] for name, (key, lines) in tables.items()},
        "left_out": [_left_out(each) for each in found.left_out],
    }


def _line(key: Sequence[str], line: Line) -> dict[str, Any]:
    change = percent(line.change.customer_charge, line.before.customer_charge)
    return {
        **dict(zip(key, line.key, strict=True)),
        "currency": line.currency,
        "events_before": line.events_before,
        "events_after": line.events_after,
        "before": _amounts(line.before),
        "after": _amounts(line.after),
        "change": _amounts(line.change),
        "change_percent": None if change is None else str(change),
    }


def _left_out(left: LeftOut) -> dict[str, Any]:
    names = ("reason", "builder", "feature", "provider", "model", "currency_before", "currency_after", "events")
    return {
        "outcome": str(left.outcome),
        **{name: getattr(left, name) for name in names},
        "before": _amounts(left.before) if left.currency_before else None,
        "after": _amounts(left.after) if left.currency_after else None,
    }


def _amounts(amounts: Amounts) -> dict[str, str]:
    return {name: _exact(getattr(amounts, name)) for name in AMOUNT_COLUMNS}


def _exact(amount: Decimal) -> str:
    return f"{amount:.12f}" if amount else "0.000000000000"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
