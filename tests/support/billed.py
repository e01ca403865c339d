"""Statements in a line each, for stories about who is paid: what was charged, and whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from billing.fx import FxRates, Rate
from billing.periods import MONTHS, Period, parse_period
from billing.plans import TaxRate
from billing.statements import Statement, StatementInput, UsageLine, statement

VAT = TaxRate(id="vat", label="VAT", rate="0.21")  # type: ignore[arg-type]


def month(label: str) -> Period:
    """The calendar month."""
    return parse_period(MONTHS, label)


def usage(charge: str, reward: str = "0", fee: str = "0", provider: str = "north", rule: str = "r1") -> UsageLine:
    """What `charge` leaves after reward and fee is the Builder's, also below 0."""
    amounts = Decimal(charge), Decimal(reward), Decimal(fee)
    return UsageLine(
        rule, f"Line {rule}", "task", f"Rule {rule} says so.", provider, "chat", "USD", {"tasks": Decimal(1)}, 1,
        *amounts, amounts[0] - amounts[1] - amounts[2],
    )  # fmt: skip


def bill(
    tenant: str,
    label: str,
    *lines: UsageLine,
    builder: str = "acme",
    currency: str = "USD",
    rate: str = "",
    tax: bool = False,
) -> Statement:
    """The statement of a tenant for a month; `rate` is what a USD is worth in `currency`."""
    period = month(label)
    day: date = period.last_day
    rates = FxRates([Rate(day, "USD", currency, Decimal(rate))] if rate else [])
    made = statement(
        StatementInput(
            builder, tenant, period, "USD", currency, (), tuple(lines), (), (), rates, VAT if tax else None, None
        )
    )
    assert isinstance(made, Statement), made
    return made


def earned(label: str, *amounts: str, builder: str = "acme") -> Sequence[Statement]:
    """A statement for each amount that a tenant pays, and that is all the Builder's."""
    return [bill(f"t{number}", label, usage(amount), builder=builder) for number, amount in enumerate(amounts)]
