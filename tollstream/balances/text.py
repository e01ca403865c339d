"""Balances as a page for a terminal: one tenant with the lines so far, or a table of a Builder's tenants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from billing.money import ROUNDING
from billing.statements import Standing
from tollstream.balances.document import left, of_kind, spent
from tollstream.balances.outlook import Outlook
from tollstream.balances.reading import Balance
from tollstream.explanation.layout import WIDTH, Page
from tollstream.rendering import figures

NOTHING = "–"


def tenant_text(outlook: Outlook, balance: Balance, *, emphasis: Callable[[str], str] = str) -> str:
    """Everything about one tenant."""
    page = Page(WIDTH, emphasis)
    _head(page, outlook, f"{outlook.builder}/{figures.tidy(balance.given.tenant)}")
    made = balance.statement
    if made is None:
        page.say(f"There is no balance: {balance.refusal}.")
        return page.text()
    if not made.standings:
        page.say("No allowance, no credit and no spend cap.")
    else:
        page.gap()
        rows = [_row(standing, balance.past_cap) for standing in made.standings]
        page.table(("", "used", "of", "left", "percent"), rows)
    page.gap()
    for line in made.lines:
        words = figures.tidy(line.label)
        if line.quantity is not None:
            words = f"{words}: {figures.quantity(line.quantity)} {figures.tidy(line.unit)}"
        page.amount(words, figures.money(line.amount, made.currency), 0)
    total = f"{figures.money(made.totals.total, made.currency)} {made.currency}"
    page.rule(len(total))
    page.amount("The statement, if nothing more came in", total, 0)
    if made.charge_currency != made.currency:
        page.say(f"Converted from {made.charge_currency} at the newest rate; the statement takes that of the last day.")
    return page.text()


def builder_text(outlook: Outlook, shown: Sequence[Balance], more: int, *, emphasis: Callable[[str], str] = str) -> str:
    """A row for each tenant; `more` are not shown."""
    page = Page(WIDTH, emphasis)
    _head(page, outlook, outlook.builder)
    if not shown:
        page.say("No tenant has usage or credits.")
        return page.text()
    rows = [_summary(balance) for balance in shown]
    page.table(("tenant", "spent", "", "allowance", "credit", "cap"), rows, left=1)
    if more:
        page.say(f"… and {more:,} more: --limit shows them, --json all of them.")
    page.gap()
    page.say("Spent: usage after tiers, allowances and cap, before credits. The others: the percentage of the fullest.")
    for balance in shown:
        if balance.statement is None:
            page.say(f"{figures.tidy(balance.given.tenant)}: {balance.refusal}.")
    return page.text()


def percent(standing: Standing) -> Decimal:
    """How much of the limit is used, to one place, rounded down: 100 is all of it."""
    if standing.limit <= 0:
        return Decimal(100) if standing.used > 0 else Decimal(0)
    tenths = ROUNDING.divide_int(ROUNDING.multiply(standing.used, Decimal(1000)), standing.limit)
    return tenths.scaleb(-1)


def _head(page: Page, outlook: Outlook, whose: str) -> None:
    period = outlook.running
    page.heading(f"{whose}, {figures.period_name(period)} so far")
    page.say(
        f"{_moment(outlook.as_of)}; the period is {_moment(period.start)} to {_moment(period.end)}."
        + (f" Over and not closed: {', '.join(outlook.overdue)}." if outlook.overdue else "")
    )


def _moment(time: object) -> str:
    return str(time).replace("+00:00", "Z").replace(" ", "T").partition(".")[0].rstrip("Z") + "Z"


def _row(standing: Standing, past_cap: str) -> tuple[str, ...]:
    money = standing.kind == "cap" or (standing.kind == "credit" and standing.unit.isupper())
    written = (
        (lambda number: figures.about(number, standing.unit)) if money else figures.quantity  # money for reading
    )
    words = standing.label if standing.kind != "cap" else f"{standing.label} ({past_cap})"
    unit = standing.unit if money else figures.meter_words(standing.unit)
    return (
        figures.tidy(words),
        written(standing.used),
        f"{written(standing.limit)} {unit}",
        written(left(standing)),
        f"{percent(standing):f}",
    )


def _summary(balance: Balance) -> tuple[str, ...]:
    made = balance.statement
    tenant = figures.tidy(balance.given.tenant)
    if made is None:
        return tenant, NOTHING, "", NOTHING, NOTHING, NOTHING
    fullest = []
    for kind in ("allowance", "credit", "cap"):
        found = [percent(standing) for standing in of_kind(made, kind)]
        fullest.append(f"{max(found):f} %" if found else NOTHING)
    return tenant, figures.about(spent(made), made.charge_currency), made.charge_currency, *fullest
