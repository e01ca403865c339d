"""A small ledger and books to try on it, for tests of simulations: every amount can be worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from billing.loading import parse_version
from billing.prices import PriceBook, PriceBooks
from billing.rating import Rater
from billing.simulation import Comparison, OfVersions, Simulation
from billing.standing import BILLED_COLUMNS, CORRECTION_COLUMNS
from billing.surcharges import RuleBook, RuleBooks
from sinks.usage_columns import usage_rows
from tests.support import rows
from tests.support.rows import Row, ledger_row, void_row
from topics.block import DIMENSION_COLUMNS

# One unit of input costs a cent with `small` and two with `large`; 70 % of it is the provider's.
PRICES = """
    version = "p"
    effective_from = 2020-01-01T00:00:00Z
    currency = "USD"
    [[prices]]
    provider = "orange"
    model = "small"
    meters = { input_tokens = "0.01" }
    [[prices]]
    provider = "orange"
    model = "large"
    meters = { input_tokens = "0.02" }
"""
NEW_RULES = """
    version = "new"
    effective_from = 2020-01-01T00:00:00Z
    [[rules]]
    id = "double"
    kind = "markup"
    percent = "100"
    label = "Assistant answers"
    unit = "request"
    reason = "At twice the cost."
    [[rules]]
    id = "reports"
    kind = "margin"
    percent = "50"
    match = { feature = "report" }
    label = "Reports"
    unit = "report"
    reason = "Half of the price is margin."
    [[rules]]
    id = "searches"
    kind = "unit_price"
    amount = "0.10"
    meter = "requests"
    match = { feature = "search" }
    label = "Searches"
    unit = "request"
    reason = "Ten cents for each search request."
"""
FREE = {"rule_id": "free", "customer_charge": "0.00"}


def event(offset: int, tokens: int, base: str, **given: Any) -> Row:
    """Usage of acme/north that was charged at its base and a half."""
    cost = Decimal(base)
    charge = Decimal(given.pop("customer_charge", cost * Decimal("1.5")))
    return ledger_row(
        offset,
        **{
            "provider": "orange",
            "model": "small",
            "rule_id": "half",
            "usage": {"input_tokens": Decimal(tokens), "requests": Decimal(1)},
            "base_cost": cost,
            "provider_reward": cost * Decimal("0.7"),
            "platform_fee": cost * Decimal("0.3"),
            "customer_charge": charge,
            "builder_earnings": charge - cost,
            **given,
        },
    )


def adjusted(offset: int, target: Row, earnings: str) -> Row:
    """An adjustment of what `target` was charged, and of what was earned by it."""
    change = Decimal(earnings)
    amounts = {"customer_charge": change, "builder_earnings": change}
    zero = dict.fromkeys(("base_cost", "provider_reward", "platform_fee"), Decimal(0))
    return void_row(offset, target, kind="adjustment", usage={}, **zero, **amounts)


CHAT = event(1, 100, "1.00")
LEDGER = [
    CHAT,  #                                                   1.50 -> 2.00
    event(2, 200, "2.00", feature="report"),  #                3.00 -> 4.00
    event(3, 50, "1.00", tenant="south", model="large"),  #    1.50 -> 2.00
    event(4, 100, "1.00", tenant="south", feature="search",  # 0.00 -> 0.30, three searches at ten cents
          usage={"input_tokens": Decimal(100), "requests": Decimal(3)}, **FREE),
    event(5, 100, "1.00"),  #                                  1.25 -> 2.00, adjusted since by -0.25
]  # fmt: skip
LEDGER.append(adjusted(6, LEDGER[4], "-0.25"))


# What usage without a price has instead of amounts.
UNPRICED = {"pricing": "unpriced", "unpriced_reason": "no_price", "rule_id": "", "currency": "", **rows.NULL_AMOUNTS}

_TAKEN_BACK = event(20, 100, "1.00")
# One event of every outcome besides, and somebody who would pay less.
EVERYTHING = [
    *LEDGER,
    _TAKEN_BACK,
    void_row(21, _TAKEN_BACK),
    event(22, 100, "1.00", model="gone"),
    event(23, 100, "1.00") | UNPRICED,
    event(24, 100, "1.00", model="gone") | UNPRICED,
    event(25, 100, "1.00", currency="EUR"),
    event(26, 100, "1.00", builder="globex", tenant="<b>east & co</b>", feature="", customer_charge="5.00"),  # -> 2.00
]


def rater(prices: str = PRICES, rules: str = NEW_RULES) -> Rater:
    """With one version of each."""
    return Rater(
        PriceBooks([parse_version(prices, ".toml", "prices", PriceBook)]),
        RuleBooks([parse_version(rules, ".toml", "rules", RuleBook)]),
    )


def simulation(
    ledger: Iterable[Row],
    using: Rater | None = None,
    *,
    by_tenant: bool = False,
    of_versions: OfVersions = lambda prices, rules: None,
) -> Comparison:
    """The comparison of a ledger, read at once or a tenant at a time."""
    found = Simulation(using or rater(), of_versions)
    tenants: dict[str, list[Row]] = {}
    for row in ledger:
        tenants.setdefault(row["tenant"] if by_tenant else "", []).append(row)
    for some in tenants.values():
        answer = usage_rows(rows.ledger(some).to_batches(), DIMENSION_COLUMNS, (*BILLED_COLUMNS, *CORRECTION_COLUMNS))
        found.add(answer.rows, answer.dimensions)
    return found.comparison()
