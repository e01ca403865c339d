"""`tollstream unpriced`: usage that waits for a price: which, since when, how much of it, and what to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from billing.money import EXACT
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.rerates import Waiting
from tollstream.settings import load_settings
from tollstream.store import clickhouse_configuration

# In the order in which rating asks; what each one lacks, and how it gets it.
REMEDIES: Mapping[str, str] = {
    "no_book": "no price book applied yet: publish one (`tollstream prices publish`)",
    "no_model": "the events name no provider or no model: mend the producer; prices cannot be found for these",
    "no_price": "the price book has no price for this: publish a version that has one (`tollstream prices publish`)",
    "no_rule": "no surcharge rule matches: publish one, such as a rule without `match` (`tollstream rules publish`)",
    "no_unit": "the rule charges by a business meter that the events lack: publish another rule, or mend the producer",
}
THEN = "Then `tollstream rerate --unpriced` shows what it comes to, and with --apply --by NAME --reason TEXT bills it."


@click.command("unpriced", epilog="Example: tollstream unpriced --by-builder --json")
@click.option("--builder", default="", help="Only this Builder's usage.")
@click.option("--by-builder", is_flag=True, help="A line for each Builder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, quantities as strings.")
def command(builder: str, by_builder: bool, as_json: bool) -> None:
    """List usage that waits for a price: provider, model, mode and region, why, since when, and how much.

    It is kept and counted, and in no amount. What was taken back, or rated since, is not listed.
    """
    waiting = asyncio.run(_read(clickhouse_configuration(load_settings()), builder, by_builder=by_builder))
    if as_json:
        click.echo(json.dumps([_record(each) for each in waiting]))
    else:
        _print(Console(), waiting, by_builder=by_builder)


async def _read(configuration: ClickHouseConfiguration, builder: str, *, by_builder: bool) -> list[Waiting]:
    sink = await ClickHouseSink.connect(configuration)
    try:
        return await sink.read_waiting(by_builder=by_builder, builder=builder)
    finally:
        await sink.close()


def _record(each: Waiting) -> dict[str, Any]:
    return {
        "reason": each.unpriced_reason,
        "provider": each.provider,
        "model": each.model,
        "mode": each.mode,
        "region": each.region,
        **({"builder": each.builder} if each.builder else {}),
        "events": each.events,
        "since": each.first_event_time.isoformat(),
        "last": each.last_event_time.isoformat(),
        "usage": {meter: f"{quantity.normalize(EXACT):f}" for meter, quantity in each.usage.items()},
        "tenants": list(each.tenants),
        "remedy": REMEDIES.get(each.unpriced_reason, ""),
    }


def _print(console: Console, waiting: Sequence[Waiting], *, by_builder: bool) -> None:
    if not waiting:
        console.print("No usage waits for a price.")
        return
    table = Table(title="Usage that waits for a price", title_justify="left")
    headings = ["reason", "provider", "model", "mode", "region", *(["Builder"] if by_builder else [])]
    for heading in (*headings, "events", "tenants", "since", "last", "usage"):
        table.add_column(heading, overflow="fold", justify="right" if heading in ("events", "tenants") else "left")
    for each in waiting:
        usage = "\n".join(f"{quantity.normalize(EXACT):,f} {meter}" for meter, quantity in each.usage.items())
        table.add_row(
            each.unpriced_reason, each.provider, each.model, each.mode, each.region,
            *([each.builder] if by_builder else []), f"{each.events:,}", f"{len(each.tenants):,}",
            each.first_event_time.isoformat(timespec="seconds"), each.last_event_time.isoformat(timespec="seconds"),
            usage,
        )  # fmt: skip
    console.print(table)
    for reason in dict.fromkeys(each.unpriced_reason for each in waiting):
        console.print(f"[bold]{reason}[/]: {REMEDIES.get(reason, '')}.", highlight=False)
    console.print(THEN, highlight=False)
