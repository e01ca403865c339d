"""`tollstream reconcile`: does the money add up, from offsets to totals, to the last digit?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from decimal import Context, Decimal, localcontext
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.settlement_store import ClickHouseSettlementStore
from sinks.reconciliation import Accounts, Finding, Level, PartitionAccount, SumLine, findings, total_residual
from sinks.tables import AMOUNTS
from tollstream.payouts.checks import Postings, check_postings
from tollstream.settings import load_settings
from tollstream.store import clickhouse_configuration

EXACT = Context(prec=76)


@click.command("reconcile", epilog="Example: tollstream reconcile --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, amounts as strings.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Compare log, ledger and totals to the last digit, and add up everything that is posted: it comes to 0.

    Exit code 0 when everything holds, 1 when something does not, 2 when it cannot tell (the store is away).
    Safe while workers run: rows of a flush under way are no difference.
    """
    accounts, postings = asyncio.run(_read(clickhouse_configuration(load_settings())))
    found = [*findings(accounts), *postings.findings]
    with localcontext(EXACT):
        if as_json:
            click.echo(json.dumps(_report(accounts, found) | {"postings": _posted(postings)}))
        else:
            _print(Console(), accounts, found, postings)
    context.exit(0 if _holds(found) else 1)


async def _read(configuration: ClickHouseConfiguration) -> tuple[Accounts, Postings]:
    sink = await ClickHouseSink.connect(configuration)
    store = await ClickHouseSettlementStore.connect(configuration)
    try:
        return await sink.read_accounts(), await check_postings(store)
    finally:
        await sink.close()
        await store.close()


def _holds(found: Sequence[Finding]) -> bool:
    return not any(finding.level is Level.FAILURE for finding in found)


def _sums(accounts: Accounts) -> dict[tuple[str, str], Decimal]:
    """(currency, name) -> ledger sum over all partitions."""
    sums: dict[tuple[str, str], Decimal] = {}
    for account in accounts.partitions:
        for line in account.residual.lines:
            key = (line.currency, line.name)
            sums[key] = sums.get(key, Decimal(0)) + line.ledger
    return sums


def _currencies(sums: dict[tuple[str, str], Decimal]) -> list[str]:
    """Currencies in which any amount stands; what waits for a price may have none."""
    return sorted({currency for (currency, name), value in sums.items() if name in AMOUNTS and (currency or value)})


def _plain(value: Decimal) -> str:
    """A Decimal without exponent; zero is 0."""
    return f"{value:f}" if value else "0"


def _report(accounts: Accounts, found: Sequence[Finding]) -> dict[str, Any]:
    sums = _sums(accounts)
    return {
        "holds": _holds(found),
        "residual": _plain(total_residual(accounts.partitions)),
        "amounts": {
            currency: {name: _plain(sums.get((currency, name), Decimal(0))) for name in AMOUNTS}
            for currency in _currencies(sums)
        },
        "findings": [
            {
                "level": finding.level.value,
                "check": finding.check,
                "topic_epoch": finding.topic_epoch,
                "partition": finding.partition,
                "sentence": finding.sentence,
            }
            for finding in found
        ],
        "partitions": [_partition(account) for account in accounts.partitions],
    }


def _posted(postings: Postings) -> dict[str, dict[str, Any]]:
    return {
        each.currency: {
            "postings": each.postings,
            "debits": _plain(each.debits),
            "credits": _plain(each.residual - each.debits),
            "residual": _plain(each.residual),
        }
        for each in postings.balances
    }


def _partition(account: PartitionAccount) -> dict[str, Any]:
    counts = (
        "topic_epoch", "source_partition", "next_offset", "events", "accepted", "duplicates", "dead_lettered",
        "ledger_rows", "dead_letter_rows", "billed_twice",
    )  # fmt: skip
    return {name: getattr(account, name) for name in counts} | {
        "residual_amounts": _plain(account.residual.amounts),
        "residual_usage": _plain(account.residual.usage),
        "residual_rows": _plain(account.residual.rows),
        "lines": [_line(line) for line in account.residual.lines],
    }


def _line(line: SumLine) -> dict[str, str]:
    figures = {name: _plain(getattr(line, name)) for name in ("ledger", "totals", "difference")}
    return {"name": line.name, "currency": line.currency} | figures


def _print(console: Console, accounts: Accounts, found: Sequence[Finding], postings: Postings) -> None:
    if not accounts.partitions and not postings.balances:
        console.print("Nothing to compare: no partition has a checkpoint yet.")
        return
    broken = {(finding.topic_epoch, finding.partition) for finding in found}
    table = Table(title="Events, by partition", title_justify="left")
    headings = (
        "epoch", "partition", "next offset", "events", "accepted", "duplicates", "dead letters", "ledger rows",
        "residual", "",
    )  # fmt: skip
    for heading in headings:
        table.add_column(heading, justify="right", overflow="fold")  # a narrow page breaks a number, never cuts it
    for account in accounts.partitions:
        wrong = (account.topic_epoch, account.source_partition) in broken
        numbers = (
            account.topic_epoch, account.source_partition, account.next_offset, account.events, account.accepted,
            account.duplicates, account.dead_lettered, account.ledger_rows,
        )  # fmt: skip
        verdict = "[bold red]differs[/]" if wrong else "[green]agrees[/]"
        table.add_row(*map(str, numbers), _plain(account.residual.amounts), verdict)
    console.print(table)
    sums = _sums(accounts)
    money = Table(title="Money in the ledger", title_justify="left")
    for heading in ("currency", "customer charge", "provider reward", "platform fee", "builder earnings"):
        money.add_column(heading, justify="right", overflow="fold")
    for currency in _currencies(sums):
        money.add_row(currency, *(_plain(sums.get((currency, name), Decimal(0))) for name in AMOUNTS))
    console.print(money)
    for each in postings.balances:
        console.print(
            f"Postings balance in {each.currency}: {each.postings:,} of them, debits {_plain(each.debits)}, credits "
            f"{_plain(each.residual - each.debits)}, sum {_plain(each.residual)}",
            highlight=False,
        )
    for finding in found:
        where = "" if finding.partition is None else f" (epoch {finding.topic_epoch}, partition {finding.partition})"
        colour = "red" if finding.level is Level.FAILURE else "yellow"
        console.print(f"[bold {colour}]{finding.level}[/] {finding.check}{where}: {finding.sentence}", highlight=False)
    residual = _plain(total_residual(accounts.partitions))
    closing = "everything agrees to the last digit." if _holds(found) else "something does not agree: see above."
    console.print(f"Residual {residual}: {closing}", highlight=False)
