"""Statements as data, line by line: what is rendered does not depend on how statements come about."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from billing.credits import Draw, Grant
from billing.money import EXACT, ROUNDING, STEP
from billing.periods import Cycle, Period
from billing.postings import Posting
from billing.statements import LineKind, Standing, Statement, StatementLine, Totals

OCTOBER = Cycle().holding(date(2026, 10, 1))
ZERO = Decimal(0)


def line(
    kind: LineKind,
    label: str,
    amount: str,
    reason: str = "",
    *,
    key: str = "",
    count: str | None = None,
    unit: str = "",
    exact: str = "",
    charge: str = "",
    about: str = "",
) -> StatementLine:
    """A line; exact and charge are the amount where they are not given, key and about come from the label."""
    about = about or label.lower().replace(" ", "-")
    quantity = None if count is None else Decimal(count)
    whole = Decimal(exact or amount)
    price = ROUNDING.divide(whole, quantity).quantize(STEP, context=ROUNDING) if quantity else None
    return StatementLine(
        key or f"{kind}/{about}",
        kind,
        label,
        unit,
        quantity,
        price,
        Decimal(amount),
        whole,
        Decimal(charge or exact or amount),
        reason,
        about,
    )


@dataclass
class Made:
    """A statement in the making: totals follow from its lines."""

    builder: str
    tenant: str
    currency: str
    lines: list[StatementLine]
    period: Period = OCTOBER
    charge_currency: str = ""
    standings: tuple[Standing, ...] = ()
    draws: tuple[Draw, ...] = ()
    carried_over: tuple[Grant, ...] = ()
    postings: tuple[Posting, ...] = field(default=())

    def statement(self) -> Statement:
        """With its totals."""
        net, exact, tax, paid = ZERO, ZERO, ZERO, ZERO
        for each in self.lines:
            if each.kind == "tax":
                tax = EXACT.add(tax, each.amount)
            elif each.kind == "payment":
                paid = EXACT.subtract(paid, each.amount)
            else:
                net, exact = EXACT.add(net, each.amount), EXACT.add(exact, each.exact)
        total = EXACT.add(net, tax)
        totals = Totals(exact, net, tax, total, paid, EXACT.subtract(total, paid))
        receivable = Posting("tenant_receivable", self.tenant, self.currency, "statement", totals.due)
        return Statement(
            self.builder,
            self.tenant,
            self.period,
            self.currency,
            self.charge_currency or self.currency,
            tuple(self.lines),
            totals,
            self.postings or (receivable, receivable._replace(account="builder_payable", amount=-totals.due)),
            self.draws,
            self.carried_over,
            self.standings,
        )
