"""`tollstream close`: a Builder's period becomes statements, and nothing of it changes any more."""

from __future__ import annotations

import gc
import getpass
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click
from rich.console import Console

from billing.errors import BillingError
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from tollstream.closing.checks import KINDS, Accepted
from tollstream.closing.log import KafkaLog
from tollstream.closing.refusal import CloseRefusedError
from tollstream.closing.report import preview_record, result_record, show_preview, show_result
from tollstream.closing.rules import published_rules
from tollstream.closing.run import Installation, Preview, Result, close, preview
from tollstream.closing.store import with_statements
from tollstream.closing.told import Teller
from tollstream.settings import load_settings
from topics.catalogue import raw_topic_name

EPILOG = """\b
Example: tollstream close --builder acme --period 2026-10 --dry-run
         tollstream close --builder acme --period 2026-10 --by ada
"""
TEXT_BYTES_MAX = 1_000
GC_THRESHOLDS = (200_000, 50, 100)


@click.command("close", epilog=EPILOG)
@click.option("--builder", required=True, help="Whose period.")
@click.option("--period", required=True, metavar="LABEL", help="2026-10, 2026-W41, or the first day of an anniversary.")
@click.option("--dry-run", is_flag=True, help="Show totals and what is in the way; write nothing.")
@click.option("--statements", "shown", type=click.IntRange(0), default=5, show_default=True, help="With --dry-run.")
@click.option("--accept-lag", is_flag=True, help="Close although the log is not stored to the period's end.")
@click.option("--accept-unpriced", is_flag=True, help="Close although usage of the period waits for a price.")
@click.option("--accept-residual", is_flag=True, help="Close although ledger and totals do not agree.")
@click.option("--accept-earlier", is_flag=True, help="Begin with this period although there is usage before it.")
@click.option("--by", help="Who closes, for the record; default: the user of this machine.")
@click.option("--reason", default="", help="Why, for the record; needed with --accept-…")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, amounts as strings.")
@click.pass_context
def command(
    context: click.Context,
    /,
    builder: str,
    period: str,
    dry_run: bool,
    shown: int,
    by: str | None,
    reason: str,
    as_json: bool,
    **accepts: bool,
) -> None:
    """Close a period of a Builder: numbered statements, what was drawn of credits, and balanced postings.

    Refused while ingestion lags behind the period's end, usage in it waits for a price, or ledger and totals disagree;
    each can be accepted, on record. Killed anywhere, the same command goes on where it broke off and comes to the same
    statements. A period that is closed stays as it is: closing it again shows what stands.

    Exit code 0, or 1 when --dry-run finds something in the way.
    """
    accepted = _accepted(accepts, by, reason)
    settings = load_settings()
    teller = Teller(quiet=as_json)

    async def run(store: ClickHouseStatementStore) -> Preview | Result:
        topic = raw_topic_name(settings.topic_epoch)
        log = KafkaLog(settings.kafka_bootstrap_servers, topic, settings.topic_epoch, settings.partitions)
        installation = Installation(store, await published_rules(settings), log, settings.window_seconds)
        if dry_run:
            return await preview(installation, builder, period, shown, teller)
        return await close(installation, builder, period, accepted, teller)

    with _few_collections():
        try:
            answer = with_statements(run, settings)
        except BillingError as error:
            raise CloseRefusedError(f"{str(error).rstrip('.')}. Nothing was closed.") from error
    if isinstance(answer, Preview):
        if as_json:
            click.echo(json.dumps(preview_record(answer), ensure_ascii=False))
        else:
            show_preview(Console(), answer)
        context.exit(1 if answer.problems or answer.missing else 0)
    if as_json:
        click.echo(json.dumps(result_record(answer), ensure_ascii=False))
    else:
        show_result(Console(), answer)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Millions of small objects without cycles: looking for cycles among them would take a quarter of the time."""
    before = gc.get_threshold()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _accepted(accepts: Mapping[str, bool], by: str | None, reason: str) -> Accepted:
    kinds = frozenset(kind for kind in KINDS if accepts[f"accept_{kind}"])
    if kinds and not (by and by.strip() and reason.strip()):
        raise CloseRefusedError("Whatever is accepted stands on record: say who and why with --by NAME --reason TEXT.")
    for option, given in (("--by", by or ""), ("--reason", reason)):
        if len(given.encode()) > TEXT_BYTES_MAX or any(ord(character) < 32 for character in given):
            raise CloseRefusedError(
                f"{option} is longer than {TEXT_BYTES_MAX} bytes, or more than one line: shorten it."
            )
    return Accepted(kinds, (by or getpass.getuser()).strip(), reason.strip())
