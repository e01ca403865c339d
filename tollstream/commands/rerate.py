"""`tollstream rerate`: past usage rated again, as a difference to look at, or as adjustments in the log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import click
from rich.console import Console

from billing.rerating import ByHand, Selection
from gateway.emitter import EmitterConfiguration
from sinks.clickhouse import ClickHouseSink
from tollstream.books import load_published
from tollstream.rerating.pages import history_text, result_text
from tollstream.rerating.progress import Teller
from tollstream.rerating.report import history, record
from tollstream.rerating.request import FIRST, LAST, Request, RerateRefusedError
from tollstream.rerating.run import PORTION_ROWS, Installation, Result, Told, apply, preview, wait_until_stored
from tollstream.settings import Settings, load_settings
from tollstream.simulation.period import DayOrMoment
from tollstream.store import clickhouse_configuration
from topics.catalogue import raw_topic_name
from topics.events import CONTROL_CHARACTERS, TEXT_BYTES_MAX
from topics.meters import load_catalogue

Answer = TypeVar("Answer")
EPILOG = """\b
Example: tollstream rerate --from 2026-01-01 --to 2026-02-01
         tollstream rerate --unpriced --apply --by ada \\
             --reason 'claude-next has a price' --wait
         tollstream rerate --from 2026-01-01 --to 2026-02-01 \\
             --prices 2026-01-corrected
"""


@click.command("rerate", epilog=EPILOG)
@click.option("--from", "start", type=DayOrMoment(), help="Usage of this time (a day, UTC, or a moment) and later,")
@click.option("--to", "end", type=DayOrMoment(), help="and before this. Both may be left out with --unpriced.")
@click.option("--builder", default="", help="Only this Builder's usage.")
@click.option("--tenant", default="", help="Only this tenant's usage.")
@click.option("--unpriced", is_flag=True, help="Only usage that waits for a price.")
@click.option("--prices", default="", metavar="VERSION", help="Rate all of it with this published price book.")
@click.option("--rules", default="", metavar="VERSION", help="Rate all of it with this published rule book.")
@click.option("--timeline", is_flag=True, help="By event time also what was re-rated with a named version before.")
@click.option(
    "--by-hand",
    type=click.Choice([str(each) for each in ByHand]),
    default=str(ByHand.LEAVE),
    show_default=True,
    help="Events that somebody corrected by hand: leave them, keep the correction on top, or replace it.",
)
@click.option("--apply", "applies", is_flag=True, help="Publish the differences; without it nothing is changed.")
@click.option("--by", default="", help="Who applies it, for the record.")
@click.option("--reason", default="", help="Why, for the record and in every adjustment.")
@click.option("--resume", "rerate_id", default="", metavar="ID", help="With --apply: finish this re-rating.")
@click.option("--wait", "waits", is_flag=True, help="Wait until workers have stored the adjustments.")
@click.option("--wait-seconds", type=click.IntRange(1, 86_400), default=300, show_default=True, help="For how long.")
@click.option("--history", "shows_history", is_flag=True, help="List every re-rating on record, and do nothing.")
@click.option("--lines", type=click.IntRange(0), default=40, show_default=True, help="So many lines of the table.")
@click.option(
    "--portion-rows",
    type=click.IntRange(1, 5_000_000),
    default=PORTION_ROWS,
    show_default=True,
    help="Ledger rows held in memory at once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, amounts as strings.")
@click.pass_context
def command(
    context: click.Context,
    /,
    start: datetime | None,
    end: datetime | None,
    builder: str,
    tenant: str,
    unpriced: bool,
    prices: str,
    rules: str,
    timeline: bool,
    by_hand: str,
    applies: bool,
    by: str,
    reason: str,
    rerate_id: str,
    waits: bool,
    wait_seconds: int,
    shows_history: bool,
    lines: int,
    portion_rows: int,
    as_json: bool,
) -> None:
    """Rate past usage again: show the difference or, with --apply, publish it as signed adjustments.

    Usage is rated with the books that it was rated with (nothing changes: an audit); usage that waits for a price
    with the first later version that gives it one; with --prices and --rules all of it with these versions, which may
    be `retroactive` ones. Killed anywhere, the same command goes on where it broke off. Exit code 0, or 1 when --wait
    was not long enough.
    """
    settings = load_settings()
    if shows_history:
        _show_history(settings, as_json=as_json)
        return
    request = None if rerate_id else _request(start, end, builder, tenant, unpriced=unpriced, by_hand=by_hand,
                                              selection=Selection(prices, rules, timeline))  # fmt: skip
    _check(applies=applies, by=by, reason=reason, rerate_id=rerate_id, waits=waits)
    teller = Teller()
    told = Told(teller.read, teller.published)

    async def run(sink: ClickHouseSink) -> tuple[Result, int | None]:
        installation = await _installation(settings, sink, portion_rows)
        if not applies and request is not None:
            return await preview(installation, request, told), None
        result = await apply(
            installation, request, by=by.strip(), reason=reason.strip(), rerate_id=rerate_id, told=told
        )
        stored = None
        if waits and result.plan is not None:
            stored = await wait_until_stored(sink, result.plan, result.ends, wait_seconds)
        return result, stored

    result, stored = asyncio.run(_with_sink(settings, run))
    if as_json:
        click.echo(json.dumps(record(result, stored=stored, waited=waits)))
    else:
        _say(result, lines, applies=applies, waits=waits, stored=stored, seconds=wait_seconds)
    context.exit(1 if waits and result.plan is not None and stored is None else 0)


def _request(
    start: datetime | None, end: datetime | None, builder: str, tenant: str, *, unpriced: bool, by_hand: str,
    selection: Selection,
) -> Request:  # fmt: skip
    if not unpriced and (start is None or end is None):
        raise RerateRefusedError(
            "Give --from and --to: usage in that range is rated again. With --unpriced they may be left out."
        )
    return Request(start or FIRST, end or LAST, builder, tenant, unpriced, selection, ByHand(by_hand))


def _check(*, applies: bool, by: str, reason: str, rerate_id: str, waits: bool) -> None:
    if not applies and (rerate_id or waits):
        raise RerateRefusedError("--resume and --wait are about publishing: add --apply, --by and --reason.")
    if not applies:
        return
    for option, given in (("--by", by), ("--reason", reason)):
        if not given.strip():
            raise RerateRefusedError(f"{option} is missing: money changes, and the record says who changed it and why.")
        if CONTROL_CHARACTERS.search(given) or len(given.strip().encode()) > TEXT_BYTES_MAX:
            raise RerateRefusedError(
                f"{option} is longer than {TEXT_BYTES_MAX} bytes, or more than one line: shorten it."
            )


async def _installation(settings: Settings, sink: ClickHouseSink, portion_rows: int) -> Installation:
    prices, rules = await load_published(sink)
    emitter = EmitterConfiguration(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        topic=raw_topic_name(settings.topic_epoch),
        client_id="tollstream-rerate",
    )
    return Installation(
        store=sink,
        prices=prices,
        rules=rules,
        catalogue=load_catalogue(settings.meters),
        emitter=emitter,
        topic_epoch=settings.topic_epoch,
        partitions=settings.partitions,
        horizon=timedelta(seconds=settings.dedup_horizon_seconds),
        portion_rows=portion_rows,
    )


async def _with_sink(settings: Settings, ask: Callable[[ClickHouseSink], Awaitable[Answer]]) -> Answer:
    sink = await ClickHouseSink.connect(clickhouse_configuration(settings))
    try:
        return await ask(sink)
    finally:
        await sink.close()


def _show_history(settings: Settings, *, as_json: bool) -> None:
    known = asyncio.run(_with_sink(settings, lambda sink: sink.read_rerates()))
    if as_json:
        click.echo(json.dumps(history(known)))
    else:
        click.echo(history_text(known, emphasis=partial(click.style, bold=True)))


def _say(result: Result, lines: int, *, applies: bool, waits: bool, stored: int | None, seconds: int) -> None:
    console = Console()
    click.echo(result_text(result, lines, emphasis=partial(click.style, bold=True)))
    for note in result.notes:
        console.print(f"[bold yellow]Note[/] {note}", highlight=False)
    plan = result.plan
    if not applies:
        console.print("Nothing was changed: --apply --by NAME --reason TEXT publishes the difference.")
    elif plan is None:
        console.print("Nothing to publish: every event is billed as it would be now.")
    else:
        words = "finished" if result.resumed else "applied"
        console.print(
            f"Re-rating {plan.rerate_id} is {words}: {plan.events:,} adjustments stand in the log.", highlight=False
        )
        if waits and stored is None:
            console.print(f"Workers have not stored all of them after {seconds} s: are any running?", highlight=False)
        elif stored is not None:
            refused = plan.events - stored
            more = f" {refused:,} were refused: see dead_letters (taken back meanwhile?)." if refused else ""
            console.print(f"{stored:,} of them are stored.{more} `tollstream reconcile` compares all.", highlight=False)
