"""`tollstream emit`: publish events of one's own from a file."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from gateway.emitter import EmitterConfiguration, Encoding
from tollstream.emission import Advance, Emission, check_lines, emit_lines
from tollstream.settings import load_settings
from topics.catalogue import raw_topic_name
from topics.meters import load_catalogue

EPILOG = """\b
Example of a line (JSON without line breaks inside):
  {"specversion": "1.0", "type": "ai.usage.v1", "id": "call-1",
   "source": "/my/app", "time": "2026-01-31T12:00:00Z",
   "subject": "acme/globex", "data": {"builder": "acme", "tenant": "globex",
   "provider": "openai", "model": "gpt-5",
   "usage": {"input_tokens": 1000, "output_tokens": 200}}}

\b
Example: tollstream emit events.jsonl
         zcat day.jsonl.gz | tollstream emit - --encoding columnar --json
"""


@click.command("emit", epilog=EPILOG)
@click.argument("file", type=click.File("rb"), metavar="FILE.jsonl|-")
@click.option(
    "--encoding",
    type=click.Choice([each.value for each in Encoding]),
    default=Encoding.JSON.value,
    show_default=True,
    help="How the events stand on Kafka; columnar is the cheapest for many events.",
)
@click.option("--strict", is_flag=True, help="Send nothing when any line is bad.")
@click.option("--bootstrap-servers", help="Kafka brokers; default: the setting kafka_bootstrap_servers.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(
    context: click.Context,
    file: BinaryIO,
    encoding: str,
    strict: bool,
    bootstrap_servers: str | None,
    as_json: bool,
) -> None:
    """Publish usage events from a file (or - for standard input), one structured CloudEvent as JSON a line.

    A bad line is reported with its number and the reason, and the good ones are sent all the same. Sending a file
    twice is safe: an event is billed once. Exit code 0 when every line was stored, 1 when one was not.
    """
    settings = load_settings(kafka_bootstrap_servers=bootstrap_servers)
    meters = load_catalogue(settings.meters)
    configuration = EmitterConfiguration(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        topic=raw_topic_name(settings.topic_epoch),
        encoding=Encoding(encoding),
    )
    refused: Emission | None = None
    with _rewindable(file, needed=strict) as lines:
        if strict:
            with _progress("Checking", lines) as advance:
                checked = check_lines(lines, meters, advance)
            refused = checked if checked.bad else None
            lines.seek(0)
        if refused is None:
            with _progress("Publishing", lines) as advance:
                emission = asyncio.run(emit_lines(lines, configuration, meters, advance))
        else:
            emission = refused
    if as_json:
        click.echo(json.dumps(_report(emission, strict=refused is not None)))
    else:
        _print(emission, strict=refused is not None)
    context.exit(0 if emission.complete else 1)


@contextmanager
def _rewindable(file: BinaryIO, *, needed: bool) -> Iterator[IO[bytes]]:
    """The file itself, or a copy on disk where it has to be read twice and cannot be."""
    if not needed or file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield copy


@contextmanager
def _progress(what: str, file: IO[bytes]) -> Iterator[Advance]:
    """A bar on the terminal's error output, by bytes read; nothing where nobody is looking."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _ignore
        return
    size = os.fstat(file.fileno()).st_size if file.seekable() else None
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=size or None)
        yield _every_so_often(lambda count: progress.advance(task, count))


def _ignore(count: int) -> None:
    """Nobody is looking."""


def _every_so_often(advance: Callable[[int], None]) -> Advance:
    waiting = 0

    def add(count: int) -> None:
        nonlocal waiting
        waiting += count
        if waiting >= 256 * 1024:
            advance(waiting)
            waiting = 0

    return add


def _report(emission: Emission, *, strict: bool) -> dict[str, object]:
    return {
        "lines": emission.lines,
        "delivered": emission.delivered,
        "bad": emission.bad,
        "undelivered": emission.undelivered,
        "refused": strict,
        "failure": emission.failure,
        "bad_lines": [{"line": bad.number, "reason": bad.reason, "detail": bad.detail} for bad in emission.explained],
    }


def _print(emission: Emission, *, strict: bool) -> None:
    for bad in emission.explained:
        click.echo(f"line {bad.number}: {bad.reason}: {bad.detail}", err=True)
    more = emission.bad - len(emission.explained)
    if more:
        click.echo(f"… and {more} more bad lines", err=True)
    if emission.failure:
        click.echo(emission.failure, err=True)
    if strict:
        click.echo(f"Nothing was sent: {emission.bad} of {emission.lines} lines are bad.", err=True)
        return
    lost = f", {emission.undelivered} not confirmed by the broker" if emission.undelivered else ""
    click.echo(f"{emission.delivered} of {emission.lines} events stored, {emission.bad} bad lines{lost}.")
