"""What the demonstration tells of the closed month: a statement, what Builders are paid, what providers are owed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from billing.postings import PLATFORM_FEE, PLATFORM_FUNDING
from tollstream.demo.settling import Settlement
from tollstream.payouts.standing import WORDS, Standing, row
from tollstream.rendering import Form, render
from tollstream.rendering.figures import money, plain_money
from tollstream.rendering.record import parse

HEAD = ("reference", "builder", "tenant", "period", "currency")
PLATFORM_ACCOUNTS = (PLATFORM_FEE, PLATFORM_FUNDING)
TOTALS = ("net", "tax", "total", "paid", "due")


def settlement_record(settlement: Settlement, now: datetime) -> dict[str, Any]:
    """For --json; money as strings."""
    return {
        "period": settlement.period.label,
        "statements": [
            {name: getattr(each.head, name) for name in HEAD}
            | {name: plain_money(getattr(each.head, name), each.head.currency) for name in TOTALS}
            for each in settlement.statements
        ],
        "payouts": [row(each, now) for each in settlement.payouts],
        "rewards": [row(each, now) for each in settlement.rewards],
        "platform": {
            currency: {account: f"{platform_sum(settlement, account, currency):.12f}" for account in PLATFORM_ACCOUNTS}
            for currency in sorted({each.currency for each in settlement.platform})
        },
        "postings": {
            each.currency: {"debits": f"{each.debits:.12f}", "residual": f"{each.residual:.12f}"}
            for each in settlement.balances
        },
        "postings_residual": "0" if not settlement.residual else f"{settlement.residual:f}",
    }


def print_settlement(console: Console, settlement: Settlement, whose: tuple[str, str], now: datetime) -> None:
    """One statement in full, as its tenant gets it; then who gets what of the month."""
    chosen = [each for each in settlement.statements if (each.head.builder, each.head.tenant) == whose]
    for each in chosen:
        console.print(Text(f"\nThe statement of {each.head.tenant}, as it goes out", "bold italic"))
        console.print(Text(render(parse(each.document), Form.TEXT).decode()), soft_wrap=True)
    console.print(_payouts(settlement, now))
    console.print(_rewards(settlement, now))
    console.print(_fees(settlement))


def _payouts(settlement: Settlement, now: datetime) -> RenderableType:
    table = _table(f"Payouts of {settlement.period.label}", "Builder", "number", "statements", "paid out", "state")
    for each in settlement.payouts:
        count = sum(one.head.builder == each.record.builder for one in settlement.statements)
        table.add_row(each.record.party, each.record.payout_id, f"{count}", _amount(each), WORDS[each.state(now)])
    return table


def _rewards(settlement: Settlement, now: datetime) -> RenderableType:
    title = f"Provider rewards of {settlement.period.label}, never part of a payout"
    table = _table(title, "provider", "number", "owed", "state")
    for each in settlement.rewards:
        table.add_row(each.record.party, each.record.payout_id, _amount(each), WORDS[each.state(now)])
    return table


def _fees(settlement: Settlement) -> RenderableType:
    """What stands on the platform's own accounts, and that all accounts together come to 0."""
    table = _table(f"The platform in {settlement.period.label}", "currency", "fee", "allowances it pays", "left")
    for currency in sorted({each.currency for each in settlement.platform}):
        fee, funding = (platform_sum(settlement, account, currency) for account in PLATFORM_ACCOUNTS)
        table.add_row(currency, *(f"{part:,.12f}" for part in (fee, funding, fee + funding)))
    balances = _table("Everything that is posted", "currency", "debits", "credits", "residual")
    for balance in settlement.balances:
        amounts = (balance.debits, balance.residual - balance.debits, balance.residual)
        balances.add_row(balance.currency, *(f"{amount:,.12f}" for amount in amounts))
    return Group(table, balances)


def platform_sum(settlement: Settlement, account: str, currency: str) -> Decimal:
    """In the platform's favour."""
    found = (each.amount for each in settlement.platform if (each.account, each.currency) == (account, currency))
    return -sum(found, Decimal(0))


def _amount(standing: Standing) -> str:
    return f"{money(standing.record.amount, standing.record.currency)} {standing.record.currency}"


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold italic")
    table.add_column(first)
    for other in others:
        table.add_column(other, justify="left" if other in ("number", "state") else "right")
    return table
