"""`tollstream rules explain`: which rule applies to given usage, which others matched, and why they lost."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import click

from billing.documents import Versions
from billing.prices import PriceBook, PriceBooks
from billing.surcharges import Rule, RuleBook, RuleBooks
from billing.surcharges.precedence import NEAREST, Resolution, names, precedence, resolve, terms
from sinks.clickhouse import ClickHouseSink
from tollstream.books import load_published
from tollstream.commands.backfill import Moment
from tollstream.errors import UserError
from tollstream.explanation.layout import Page
from tollstream.settings import load_settings
from tollstream.store import clickhouse_configuration
from topics.events import Mode, Route

B = TypeVar("B", PriceBook, RuleBook)

EPILOG = """\b
Example: tollstream rules explain --builder quill --tenant okapi-press \\
             --feature drafting --model gpt-5-mini
         tollstream rules explain --builder quill --tenant globex \\
             --rules rules.toml --json
"""


@click.command("explain", epilog=EPILOG)
@click.option("--builder", required=True, help="The Builder whose app caused the usage.")
@click.option("--tenant", required=True, help="The customer who pays.")
@click.option("--workspace", default="", help="As every tag below: left out is usage that does not have it.")
@click.option("--feature", default="")
@click.option("--workflow", default="")
@click.option("--action", default="")
@click.option("--provider", default="")
@click.option("--model", default="", help="The model as served; other names of it are in the price book.")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), default="standard", show_default=True)
@click.option("--route", type=click.Choice([route.value for route in Route]), default="primary", show_default=True)
@click.option("--at", type=Moment(), help="When it happens; default: now, or the start of a file that starts later.")
@click.option(
    "--rules", type=click.Path(path_type=Path), help="A rule book file or folder; default: the published versions."
)
@click.option(
    "--prices", type=click.Path(path_type=Path), help="Price book for dated model names; default: as for --rules."
)
@click.option(
    "--nearest", type=click.IntRange(0, 1000), default=NEAREST, show_default=True, help="So many near misses."
)
@click.option("--all", "show_all", is_flag=True, help="List all rules in order of precedence, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; always lists all rules in order of precedence.")
@click.pass_context
def command(
    context: click.Context,
    /,
    rules: Path | None,
    prices: Path | None,
    at: datetime | None,
    nearest: int,
    show_all: bool,
    as_json: bool,
    **tags: str,
) -> None:
    """Say which surcharge rule applies to usage with these tags, which others matched, and why they lost.

    A rule that names a weightier field wins, whatever the others name besides: tenant, workspace, builder, feature,
    workflow, action, model, class of models, provider, mode, route, in this order. The order of the file means nothing.
    Exit code 0, or 1 when no rule matches: such usage waits unpriced.
    """
    rule_books, price_books = _books(rules, prices)
    book = _version(rule_books, at, "rule book")
    priced = _version(price_books, at, "price book") if price_books is not None else None
    canonical = _canonical_model(priced, tags["provider"], tags["model"])
    explained = resolve(book, tags, canonical, nearest=nearest)
    if as_json:
        click.echo(json.dumps(_json(book, tags, canonical, explained), ensure_ascii=False))
    else:
        _print(book, tags, canonical, explained, show_all)
    context.exit(0 if explained.winner else 1)


def _books(rules: Path | None, prices: Path | None) -> tuple[RuleBooks, PriceBooks | None]:
    if rules is None:
        published_prices, published_rules = asyncio.run(_published())
        return published_rules, PriceBooks.load(prices) if prices else published_prices
    return RuleBooks.load(rules), PriceBooks.load(prices) if prices else None


async def _published() -> tuple[PriceBooks, RuleBooks]:
    sink = await ClickHouseSink.connect(clickhouse_configuration(load_settings()))
    try:
        return await load_published(sink)
    finally:
        await sink.close()


def _version(books: Versions[B], at: datetime | None, what: str) -> B:
    """The version of that moment; without one given, today's, or the first of those to come."""
    found = books.at(at or datetime.now(UTC))
    if found is not None:
        return found
    first = (books.versions or books.retroactive)[0]
    if at is None:
        return first
    raise UserError(
        f"No {what} applies at {at.isoformat()}: the first, {first.version}, starts at "
        f"{first.effective_from.isoformat()}."
    )


def _canonical_model(book: PriceBook | None, provider: str, model: str) -> str:
    """What the price book says a served name stands for; without a provider, what it is with all that have it."""
    if book is None or not model:
        return model
    if provider:
        return book.canonical_model(provider, model)
    known = {entry.provider: entry.model for entry in book.prices if entry.model == model}
    known |= {alias.provider: alias.model for alias in book.aliases if model in alias.names}
    if len(set(known.values())) > 1:
        said = ", ".join(f"{meant} of {owner}" for owner, meant in sorted(known.items()))
        raise UserError(f"Model {model} is {said} in price book {book.version}: name the --provider.")
    return next(iter(known.values()), model)


def _json(book: RuleBook, tags: dict[str, str], canonical: str, explained: Resolution) -> dict[str, Any]:
    return {
        "version": book.version,
        "effective_from": book.effective_from.isoformat(),
        "usage": {**tags, "canonical_model": canonical},
        "winner": _rule(explained.winner) if explained.winner else None,
        "lost": [
            {"rule": each.rule.id, "match": each.rule.match, "field": each.field, "because": each.sentence}
            for each in explained.lost
        ],
        "nearest": [
            {
                "rule": each.rule.id,
                "match": each.rule.match,
                "differences": [
                    {"field": one.field, "wanted": one.wanted, "found": one.found, "because": one.sentence}
                    for one in each.differences
                ],
            }
            for each in explained.nearest
        ],
        "precedence": [rule.id for rule in precedence(book)],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    shown = rule.model_dump(exclude_none=True)
    return {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in shown.items()}


def _print(book: RuleBook, tags: dict[str, str], canonical: str, explained: Resolution, show_all: bool) -> None:
    usage = ", ".join(f"{name} {value}" for name, value in tags.items() if value)
    alias = f" (the price book knows it as {canonical})" if canonical != tags["model"] else ""
    page = Page()
    page.say(f"Usage of {usage}{alias}, under rule book {book.version}:")
    page.gap()
    winner = explained.winner
    if winner is None:
        page.say("No rule matches: this usage would wait unpriced (no_rule). A rule that names less would take it.")
    else:
        page.say(f"{winner.id} applies: {names(winner)}", 2)
        page.say(terms(winner), 4)
        page.say(f"{winner.label}, per {winner.unit}: {winner.reason}", 4)
    _section(page, "Matched as well, and lost:", [f"{each.rule.id}: {each.sentence}" for each in explained.lost])
    _section(
        page,
        "Nearest of those that do not match:",
        [f"{each.rule.id}: {'; '.join(one.sentence for one in each.differences)}" for each in explained.nearest],
    )
    if show_all:
        _section(page, "All rules, the first that matches applies:", [f"{r.id}: {names(r)}" for r in precedence(book)])
    click.echo(page.text())


def _section(page: Page, title: str, lines: list[str]) -> None:
    if lines:
        page.gap()
        page.say(title)
        for line in lines:
            page.item(line, 2)
