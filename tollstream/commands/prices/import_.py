"""`tollstream prices import`: a published price list becomes a price book, to be read, corrected and published."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from rich.console import Console

from billing.loading import parse_version
from billing.prices import PriceBook
from billing.prices.differences import PriceDifference, compare
from billing.prices.importers.contract import ImportedBook
from billing.prices.importers.keeping import with_shares, with_the_rest
from billing.prices.writing import toml_of
from sinks.errors import SinkError
from tollstream.errors import UserError
from tollstream.price_lists import PACKAGED, Wanted, import_list
from tollstream.publishing.kind import PRICES_KIND
from tollstream.publishing.layout import add, difference_record, print_difference, say, table, words
from tollstream.publishing.shelf import read_files, read_shelf, with_store
from tollstream.settings import load_settings
from topics.meters import load_catalogue

WRITTEN = "Written by `tollstream prices import`"  # the first line of a file that may be written again
KNOCK_SECONDS = 2
MARGIN = timedelta(hours=1)  # a book begins at the next midnight that leaves time to read it
EPILOG = """\b
Example: tollstream prices import litellm --version 2026-12-01 \\
             --effective-from 2026-12-01T00:00:00Z
         tollstream prices import litellm --providers openai,anthropic \\
             --keep --output prices/2026-12-01.toml
         tollstream prices import genai-prices --json | jq .coverage
         tollstream prices import contract.csv \\
             --against prices/2026-11-01.toml --keep
"""


def _moment(context: click.Context, option: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter(f"{value!r} is no date and time with offset, such as 2026-12-01T00:00:00Z")
    return moment


def _names(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in (value or "").split(","))))


@click.command("import", epilog=EPILOG)
@click.argument("source", metavar="litellm|genai-prices|FILE.csv")
@click.option("--file", type=click.Path(path_type=Path), help="The list itself, in place of the installed package's.")
@click.option("--version", metavar="NAME", help="Of the new version; default: the day on which it takes effect.")
@click.option("--effective-from", callback=_moment, metavar="TIME", help="Default: the next midnight, UTC.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Default: prices-<list>.toml here.")
@click.option(
    "--against", default="", metavar="FILE|published|none", help="Default: what is published, if the store answers."
)
@click.option("--providers", callback=_names, metavar="A,B", help="Import these providers alone.")
@click.option("--keep", is_flag=True, help="Keep what the compared book has and the list does not.")
@click.option("--free", is_flag=True, help="Take entries whose prices are all 0, too: as free, not as unknown.")
@click.option("--vertex-regions", callback=_names, metavar="A,B", help="Vertex AI locations in use (litellm).")
@click.option("--force", is_flag=True, help="Write the file in spite of the dangers shown.")
@click.option("--all", "every", is_flag=True, help="Print every change, and everything left out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, amounts as strings.")
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Make a price book out of litellm's price map, of genai-prices, or of a table of your own.

    The file that is written is a new version, in full: what it changes is shown, nothing is published. What the list
    prices and a book cannot hold is named with the reason, and stays unpriced. Reward shares are taken over from the
    book it is compared with. docs/importers.md has the columns of a table, and what is taken from the lists.

    Exit code 0; 1 when the new book would lose half of the old one, or move a price tenfold, without --force:
    then nothing is written.
    """
    plan = _plan(**{name: value for name, value in options.items() if name not in {"force", "every", "as_json"}})
    refused = bool(plan.difference.dangers) and not options["force"]
    if not refused:
        plan.output.parent.mkdir(parents=True, exist_ok=True)
        plan.output.write_text(plan.text, encoding="utf-8")
    if options["as_json"]:
        click.echo(json.dumps(_record(plan, written=not refused), ensure_ascii=False))
    else:
        _print(Console(), plan, refused=refused, every=options["every"])
    context.exit(1 if refused else 0)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What would be written, and what it would change."""

    imported: ImportedBook
    book: PriceBook
    base: PriceBook | None
    note: str  # why there is nothing to compare with
    difference: PriceDifference
    output: Path
    text: str


def _plan(
    source: str,
    file: Path | None,
    version: str | None,
    effective_from: datetime | None,
    output: Path | None,
    against: str,
    providers: tuple[str, ...],
    keep: bool,
    free: bool,
    vertex_regions: tuple[str, ...],
) -> _Plan:
    start = effective_from or _next_midnight(datetime.now(UTC))
    wanted = Wanted(source, file, start, free, vertex_regions)
    target = output or Path(f"prices-{source if source in PACKAGED else Path(source).stem}.toml")
    _refuse_foreign(target)
    imported = import_list(wanted, load_catalogue(load_settings().meters))
    imported = imported.of(providers) if providers else imported
    book = imported.book(version=version or f"{start.astimezone(UTC):%Y-%m-%d}", effective_from=start)
    base, note = _base(against, book)
    if base is not None:
        book = with_the_rest(with_shares(book, base), base) if keep else with_shares(book, base)
    elif keep:
        raise UserError(f"--keep needs a book to keep from, and there is none: {note}")
    text = toml_of(book, _heading(imported))
    written = parse_version(text, ".toml", str(target), PriceBook)  # as whoever publishes it will read it
    return _Plan(imported, written, base, note, compare(base, written), target, text)


def _next_midnight(now: datetime) -> datetime:
    after = now + MARGIN
    return datetime(after.year, after.month, after.day, tzinfo=UTC) + timedelta(days=1)


def _heading(imported: ImportedBook) -> list[str]:
    coverage = imported.coverage
    return [
        f"{WRITTEN} from {coverage.source}: {coverage.taken} of {coverage.priced} priced entries.",
        "Read it, correct it, then publish it: `tollstream prices publish`.",
    ]


def _refuse_foreign(target: Path) -> None:
    """A file that was not written by an import is somebody's work."""
    if target.is_dir():
        raise UserError(f"{target} is a folder: name a file with --output.")
    if target.exists() and not target.read_text(encoding="utf-8", errors="replace").startswith(f"# {WRITTEN}"):
        raise UserError(f"{target} is there and was not written by an import: name another file with --output.")


def _base(against: str, book: PriceBook) -> tuple[PriceBook | None, str]:
    """What to compare with, or why there is nothing."""
    if against == "none":
        return None, "nothing was asked to be compared with"
    if against and against != "published":
        return _last_of(Path(against), book), ""
    url = load_settings().clickhouse_url
    if not against and not _knocks(url):
        return None, f"no store answers at {url}"
    try:
        shelf = with_store(read_shelf)
    except SinkError as error:
        if against:
            raise
        return None, f"the store does not answer ({error})"
    found = shelf.base(PRICES_KIND, book)
    return (found, "") if isinstance(found, PriceBook) else (None, "no prices are published yet")


def _knocks(url: str) -> bool:
    """Whether anybody listens there: who has no store should not have to wait for it."""
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname or "", address.port or 8123), KNOCK_SECONDS).close()
    except OSError:
        return False
    return True


def _last_of(path: Path, book: PriceBook) -> PriceBook:
    """The version of a file or folder that applies when the book takes effect, else its newest."""
    versions = [each for each in read_files(PRICES_KIND, path) if isinstance(each, PriceBook)]
    before = [each for each in versions if each.effective_from <= book.effective_from]
    return max(before or versions, key=lambda each: each.effective_from)


def _record(plan: _Plan, *, written: bool) -> dict[str, Any]:
    return {
        "taken": plan.imported.coverage.taken,
        "skipped": {reason: [each.record() for each in those] for reason, those in plan.imported.by_reason().items()},
        "coverage": plan.imported.coverage.record(),
        "diff": difference_record(plan.base, plan.difference),
        "dangers": plan.difference.dangers,
        "output": str(plan.output) if written else None,
    }


def _print(console: Console, plan: _Plan, *, refused: bool, every: bool) -> None:
    coverage = plan.imported.coverage
    rows = table(f"{coverage.source}", "entries", "", "")
    add(rows, "in the list", f"{coverage.in_source}", f"and {coverage.aliases} other names of models")
    add(rows, "with a price above 0", f"{coverage.priced}", "")
    add(rows, "taken", f"{coverage.taken}", f"{coverage.share} %, {coverage.in_part} of them without some price")
    add(rows, "in the book", f"{len(plan.book.prices)}", "one for each model, service tier and region")
    console.print(rows)
    _print_skipped(console, plan, every=every)
    if plan.base is None:
        prices = plan.difference.counts["added"]
        counted = f"{prices} price{'' if prices == 1 else 's'}"
        say(console, f"{words(PRICES_KIND, plan.book)}, {counted}; compared with nothing: {plan.note}.")
    else:
        print_difference(console, PRICES_KIND, plan.book, plan.base, plan.difference, every=every)
    if refused:
        say(console, f"{plan.output} is not written: --force writes it if all of this is meant.", style="bold red")
    else:
        say(console, f"Written: {plan.output}. Read it, then:")
        command = f"  tollstream prices publish {plan.output} --reason 'prices of {coverage.source}'"
        console.print(command, soft_wrap=True, highlight=False, markup=False)  # to copy: in one piece


def _print_skipped(console: Console, plan: _Plan, *, every: bool) -> None:
    reasons = plan.imported.by_reason()
    if not reasons:
        return
    rows = table("left out", "reason", "", "for example")
    for reason, those in reasons.items():
        add(rows, reason, f"{len(those)}", those[0].words)
    console.print(rows)
    if every:
        say(console, *(f"{reason}: {each.words}" for reason, those in reasons.items() for each in those))
    else:
        say(console, "--all names every one of them, --json has everything.")
