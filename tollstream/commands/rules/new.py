"""`tollstream rules new`: a rule book for one of four common offers, to be changed and published."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from textwrap import indent, wrap

import click

from billing.loading import parse_version
from billing.surcharges import RuleBook
from billing.surcharges.templates import OFFERS, load_template
from tollstream.commands.backfill import Moment
from tollstream.errors import UserError

EPILOG = (
    "\b\nOffers:\n"
    + "\n".join(
        f"  {offer}\n" + indent("\n".join(wrap(about, 70, break_on_hyphens=False)), " " * 6)
        for offer, about in OFFERS.items()
    )
    + "\n\n"
    + """\b
Example: tollstream rules new hybrid-subscription --builder quill \\
             --output rules.toml
         tollstream rules check rules.toml
"""
)


@click.command("new", epilog=EPILOG)
@click.argument("offer", type=click.Choice(list(OFFERS)))
@click.option("--builder", required=True, help="The Builder whose offer it is, as in its events.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="A new file; default: standard output.")
@click.option("--effective-from", type=Moment(), help="When it starts to apply; default: the first of next month, UTC.")
@click.option("--version", help="Its name, for ever; default: builder, offer and day.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the text in it.")
def command(
    offer: str, builder: str, output: Path | None, effective_from: datetime | None, version: str | None, as_json: bool
) -> None:
    """Write a rule book for OFFER, with comments, to be read, changed, checked and published.

    Its models, amounts and names are examples; `tollstream rules check` has nothing against it as it stands.
    docs/offers/ works through each offer to the last digit of a cent.
    """
    start = effective_from or _next_month(datetime.now(UTC))
    text = load_template(
        offer,
        builder=builder,
        version=version or f"{builder}-{offer}-{start.astimezone(UTC):%Y-%m-%d}",
        effective_from=start,
    )
    book = parse_version(text, ".toml", str(output or "the rule book"), RuleBook)
    if output is not None:
        _write(output, text)
    if as_json:
        shown = {
            "offer": offer, "builder": builder, "version": book.version,
            "effective_from": book.effective_from.isoformat(), "rules": [rule.id for rule in book.rules],
            "output": str(output) if output else None, "content": text,
        }  # fmt: skip
        click.echo(json.dumps(shown, ensure_ascii=False))
    elif output is None:
        click.echo(text, nl=False)
    else:
        click.echo(f"Wrote {output}: {len(book.rules)} rules from {book.effective_from.isoformat()}. Next: "
                   f"tollstream rules check {output}")  # fmt: skip


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as handle:
            handle.write(text)
    except FileExistsError:
        raise UserError(f"{file} exists already: give --output another name, or move it away.") from None


def _next_month(now: datetime) -> datetime:
    year, month = (now.year + 1, 1) if now.month == 12 else (now.year, now.month + 1)
    return datetime(year, month, 1, tzinfo=UTC)
