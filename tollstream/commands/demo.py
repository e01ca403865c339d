"""`tollstream demo`: the whole path once, with a crash in the middle, checked to the last digit."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import click
from aiokafka.errors import KafkaError
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from billing.surcharges import RuleBooks
from deploy.embedded.stack import EmbeddedStack
from tollstream.demo import settings
from tollstream.demo.distribution import REQUESTS, draw_requests
from tollstream.demo.report import as_json, how_to_query, print_report
from tollstream.demo.run import Demonstration, Outcome, Plan
from tollstream.demo.run import Progress as Steps
from tollstream.demo.trace import Request, read_trace
from tollstream.errors import UserError
from topics.meters import load_catalogue

EPILOG = """\b
Examples:
  tollstream demo
  tollstream demo --trace AzureLLMInferenceTrace_conv.csv --json
  tollstream demo --keep
"""
TERMINATED = 143  # what a shell says of a process that SIGTERM ended
BOOKS = Path(settings.__file__).with_name("books")


@click.command("demo", epilog=EPILOG)
@click.option(
    "--trace",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Take the traffic from a request trace in the Azure LLM inference trace's CSV format.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Draws everything that is drawn.")
@click.option(
    "--requests",
    type=click.IntRange(100, 1_000_000),
    help=f"How many requests; default: all of the trace, or {REQUESTS:,}.",
)
@click.option("--keep", is_flag=True, help="Leave the stack up afterwards, until Ctrl-C, and say how to query it.")
@click.option("--json", "as_object", is_flag=True, help="Print exactly one JSON object; money as strings.")
@click.pass_context
def command(
    context: click.Context, trace: Path | None, seed: int, requests: int | None, keep: bool, as_object: bool
) -> None:
    """Publish a day's traffic of several Builders' tenants, with duplicates, late events, voids and broken ones; run
    two workers and kill one with SIGKILL in the middle; rate later what waited for a price; compare every amount with
    an independent recomputation; and close the month: statements, payouts and rewards that balance.

    Starts its own Kafka and ClickHouse in a folder of its own, and stops them. Without a trace, as many requests are
    drawn from the published figures of the public one. Exit code 0 only when every check holds.
    """
    drawn = _requests(trace, seed, requests)
    plan = Plan(drawn, seed, BOOKS / "prices.toml", BOOKS / "rules.toml", BOOKS / "late-prices.toml", BOOKS / "plans")
    folder = Path(tempfile.mkdtemp(prefix="tollstream-demo-"))
    holds = False
    try:
        holds = asyncio.run(_run(plan, folder, keep=keep, as_object=as_object)).holds
    except (KeyboardInterrupt, asyncio.CancelledError) as end:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(end, KeyboardInterrupt):
            raise
        context.exit(TERMINATED)
    except BaseException:
        click.echo(f"The logs are in {folder / 'logs'}", err=True)
        raise
    if holds:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        click.echo(f"What was published, and the logs, are in {folder}", err=True)
    context.exit(0 if holds else 1)


def _requests(trace: Path | None, seed: int, count: int | None) -> list[Request]:
    if trace is None:
        return draw_requests(count or REQUESTS, seed)
    read = read_trace(trace)
    return read[: count or len(read)]


async def _run(plan: Plan, folder: Path, *, keep: bool, as_object: bool) -> Outcome:
    task = asyncio.current_task()
    if task is not None:  # SIGTERM ends it as Ctrl-C does: everything that was started is stopped
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    stack = EmbeddedStack(folder)
    try:
        with _progress() as progress:
            demonstration = Demonstration(plan, folder, progress)
            outcome = await demonstration.run(stack)
        if as_object:
            click.echo(json.dumps(as_json(outcome)))
        else:
            print_report(Console(), outcome, RuleBooks.load(plan.rules), load_catalogue())
            _print_verdict(outcome)
        if keep:
            click.echo(how_to_query(folder, stack.endpoints.clickhouse_url, settings.DATABASE), err=as_object)
            with suppress(asyncio.CancelledError):  # Ctrl-C ends the looking on, not the demonstration
                await _until_it_fails(stack)
        return outcome
    except (KafkaError, ClickHouseError) as error:
        raise stack.failure() or UserError(f"Kafka or ClickHouse went away: {error}") from error
    finally:
        stack.stop()


async def _until_it_fails(stack: EmbeddedStack) -> NoReturn:
    while True:
        failure = stack.failure()
        if failure is not None:
            raise failure
        await asyncio.sleep(1)


def _print_verdict(outcome: Outcome) -> None:
    residual = f"{outcome.comparison.residual:.12f}"
    if outcome.holds:
        click.secho(
            f"Residual {residual}: everything holds, after a real SIGKILL ({outcome.seconds:.0f} s).", fg="green"
        )
    else:
        broken = sum(not check.holds for check in outcome.checks)
        click.secho(f"Residual {residual}, and of {len(outcome.checks)} checks {broken} failed: see above.", fg="red")


@contextmanager
def _progress() -> Iterator[Steps]:
    """One bar per step on the terminal's error output."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:

        def step(name: str, done: float, total: float) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done, total=total)

        yield step
