"""`tollstream unpriced`: usage that waits for a price: which, since when, how much of it, and what to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import click

from billing.money import EXACT
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.rerates import Waiting
from tollstream.explanation.layout import NO_BREAK, WIDTH, Page
from tollstream.explanation.words import LATER, counted, grouped, time
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
        click.echo(unpriced_text(waiting, emphasis=partial(click.style, bold=True)))


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


def unpriced_text(waiting: Sequence[Waiting], *, width: int = WIDTH, emphasis: Callable[[str], str] = str) -> str:
    """By reason what to do, and a paragraph for each kind of usage; no number is cut or broken."""
    page = Page(width, emphasis)
    if not waiting:
        page.say("No usage waits for a price.")
        return page.text()
    page.heading("Usage that waits for a price")
    for reason, some in groupby(sorted(waiting, key=_reason), key=lambda each: each.unpriced_reason):
        page.heading(f"{reason}: {REMEDIES.get(reason, 'see docs/prices.md')}.")
        for each in some:
            page.gap()
            served = " / ".join(filter(None, (each.provider, each.model))) or "no provider, no model"
            of = f", Builder {each.builder}" if each.builder else ""
            region = f", region {each.region}" if each.region else ""
            page.say(f"{served}, {each.mode}{region}{of}", 2)
            since, last = (
                time(moment.replace(microsecond=0)) for moment in (each.first_event_time, each.last_event_time)
            )
            when = f"at {since}" if since == last else f"from {since} to {last}"
            page.say(f"{counted(each.events, 'event')} of {counted(len(each.tenants), 'tenant')}, {when}", 4)
            usage = (f"{meter}{NO_BREAK}{grouped(quantity)}" for meter, quantity in each.usage.items())
            page.say(", ".join(usage), 4)
    page.gap()
    page.say(f"{LATER} It shows what that comes to; --apply --by NAME --reason TEXT bills it.")
    return page.text()


def _reason(each: Waiting) -> int:
    """The order of REMEDIES; what is not in it comes last."""
    return list(REMEDIES).index(each.unpriced_reason) if each.unpriced_reason in REMEDIES else len(REMEDIES)
