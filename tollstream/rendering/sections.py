"""A statement in the order in which it is read: sections of lines with their sums, totals, what is left, and remarks.

HTML, PDF and text tell the same: they get their words from here, and differ in how they set them.
Laws    Σ sums of the sections = net; the last total is what is due.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from billing.currencies import CODES
from billing.money import EXACT
from billing.statements import LineKind, Standing, StatementLine
from tollstream.rendering import figures
from tollstream.rendering.document import StatementDocument

# In the order of billing.statements.KINDS.
SECTIONS: tuple[tuple[str, tuple[LineKind, ...]], ...] = (
    ("Your plan", ("subscription",)),
    ("What you used", ("usage", "tier")),
    ("Included in your plan", ("allowance",)),
    ("Minimum and cap", ("minimum", "cap")),
    ("Paid from your credits", ("credit",)),
    ("Corrections to earlier periods", ("adjustment",)),
    ("Bought in this period", ("top_up",)),
)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of a kind; there is none without lines."""

    heading: str
    lines: tuple[StatementLine, ...]
    sum: Decimal


@dataclass(frozen=True, slots=True)
class Total:
    """One row below the lines; the last one is what is due."""

    label: str
    amount: Decimal
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """What a reader in a hurry should know."""

    heading: str
    amount: Decimal  # never below 0: the heading says whose it is
    sentence: str


@dataclass(frozen=True, slots=True)
class Left:
    """How much of something is used, in words and as a part of 1000 for a bar."""

    label: str
    words: str
    part: int


def sections(document: StatementDocument) -> list[Section]:
    """Those that have lines."""
    found = []
    for heading, kinds in SECTIONS:
        lines = tuple(line for line in document.statement.lines if line.kind in kinds)
        if lines:
            found.append(Section(heading, lines, _sum(line.amount for line in lines)))
    return found


def totals(document: StatementDocument) -> list[Total]:
    """Sum, taxes, total, payments, due; a step that changes nothing is left out."""
    statement = document.statement
    taxes = [line for line in statement.lines if line.kind == "tax"]
    payments = [line for line in statement.lines if line.kind == "payment"]
    found = []
    if taxes:
        found.append(Total("Sum before tax", statement.totals.net))
        found += [Total(figures.tidy(line.label), line.amount, figures.tidy(line.reason)) for line in taxes]
    if payments:
        found.append(Total("Total", statement.totals.total))
        found += [Total(figures.tidy(line.label), line.amount, figures.tidy(line.reason)) for line in payments]
    found.append(Total("Amount due", statement.totals.due))
    return found


def due(document: StatementDocument) -> Due:
    """To pay, nothing, or in the tenant's favour."""
    statement = document.statement
    amount = statement.totals.due
    name = figures.period_name(statement.period)
    when = f"For {name.replace('Week', 'week')}."
    if amount > 0:
        by = f" Please pay by {figures.day(document.pay_by)}." if document.pay_by else ""
        return Due("Amount due", amount, when + by)
    if amount < 0:
        return Due("In your favour", amount.copy_abs(), f"{when} There is nothing to pay: this amount is yours.")
    return Due("Nothing to pay", ZERO, when)


def left(document: StatementDocument) -> list[Left]:
    """Allowances, credits and the cap, as they stand at the end of the period."""
    return [_left(standing) for standing in document.statement.standings]


def _left(standing: Standing) -> Left:
    money = standing.unit in CODES
    unit = standing.unit if money else figures.meter_words(standing.unit)

    def said(amount: Decimal) -> str:
        return figures.about(amount, unit) if money else figures.quantity(amount)

    rest = EXACT.subtract(standing.limit, standing.used)
    tail = "all of it" if not rest else f"{said(rest)} left" if rest > 0 else f"{said(-rest)} more than that"
    part = int(min(standing.used, standing.limit) * 1000 / standing.limit) if standing.limit > 0 else 1000
    words = f"{said(standing.used)} of {said(standing.limit)} {unit} used, {tail}"
    return Left(figures.tidy(standing.label), figures.tidy(words), max(part, 0))


def remarks(document: StatementDocument) -> list[str]:
    """How to read the figures; only what is true of this statement."""
    statement = document.statement
    found = []
    if statement.charge_currency != statement.currency:
        charged = figures.about(_sum(line.charge for line in statement.lines), statement.charge_currency)
        found.append(
            f"Prices are in {statement.charge_currency}: the lines come to {charged} {statement.charge_currency}, "
            f"converted to {statement.currency} at the exchange rate of the last day of the period they belong to."
        )
    if any(line.unit_price is not None for line in statement.lines):
        found.append(
            "A unit price is the average of what the units came to, rounded here for reading. Amounts are rounded "
            "once, so that the lines add up to the total exactly."
        )
    for grant in statement.carried_over:
        unit = figures.meter_words(grant.unit) if grant.unit else grant.currency
        found.append(f"{figures.quantity(grant.quantity)} {unit} are yours in the next period: {grant.label}.")
    if not document.number:
        found.append("This statement has no number: it has not been issued, and its amounts may still change.")
    return [figures.tidy(remark) for remark in found]


def facts(document: StatementDocument) -> list[tuple[str, str]]:
    """Period and dates, as label and words."""
    found = [("Period", figures.period_days(document.statement.period))]
    if document.issued:
        found.append(("Issued", figures.day(document.issued)))
    if document.pay_by and document.statement.totals.due > 0:
        found.append(("Pay by", figures.day(document.pay_by)))
    return found


def heading(document: StatementDocument) -> str:
    """What the document calls itself."""
    return f"Statement {figures.tidy(document.number)}" if document.number else "Draft statement"


def counted(line: StatementLine) -> str:
    """3 tasks; "" where nothing is counted."""
    return "" if line.quantity is None else f"{figures.quantity(line.quantity)} {figures.tidy(line.unit)}".strip()


def priced(line: StatementLine, currency: str) -> str:
    """The price of one unit; "" where nothing is counted."""
    return "" if line.unit_price is None else figures.unit_price(line.unit_price, currency)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    result = ZERO
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result
