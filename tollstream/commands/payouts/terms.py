"""`tollstream payouts terms`: what was agreed with Builders about being paid, as dated versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from billing.loading import load_versions
from billing.payout_terms import PayoutTerms
from sinks.journals import JournalStore
from sinks.payout_terms import TERMS_JOURNAL, TermsRecord
from tollstream.errors import UserError
from tollstream.explanation.layout import Page
from tollstream.payouts.desk import with_store
from tollstream.payouts.documents import instant, text
from tollstream.payouts.refusal import one_line
from tollstream.payouts.terms import publish_terms, read_terms
from tollstream.payouts.verbs import bold, json_option


@click.command(
    "terms",
    epilog="\b\nExample: tollstream payouts terms acme.toml --by ada \\\n             --reason 'contract of May'",
)
@click.argument("path", type=click.Path(path_type=Path), required=False, metavar="[FILE]")
@click.option("--builder", default="", help="List only this Builder's.")
@click.option("--by", default="", metavar="NAME", help="Who publishes; needed with FILE.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever audits it; needed with FILE.")
@json_option
def command(path: Path | None, builder: str, by: str, reason: str, prints_json: bool) -> None:
    """Publish a version of a Builder's payout terms; without FILE, list what is published.

    A payout follows the version in force at the end of its period, a chargeback the one in force when it is recorded.
    What was decided keeps what it followed. Publishing the same text again does nothing.
    """
    if path is None:
        _list(builder, prints_json=prints_json)
        return
    if builder:
        raise UserError("--builder is for listing: a file names its Builder itself.")
    versions = load_versions(path, PayoutTerms)
    who, why = one_line("--by", by), one_line("--reason", reason)

    async def run(store: JournalStore) -> list[tuple[PayoutTerms, TermsRecord | None]]:
        return [(each, await publish_terms(store, each, by=who, reason=why)) for each in versions]

    published = with_store(run)
    if prints_json:
        click.echo(json.dumps([_json(terms) | {"new": record is not None} for terms, record in published]))
        return
    for terms, record in published:
        words = "Published" if record else "Published before, and not changed"
        click.echo(f"{words}: version {terms.version} of the payout terms of {terms.builder}.")


def _list(builder: str, *, prints_json: bool) -> None:
    async def run(store: JournalStore) -> list[tuple[TermsRecord, PayoutTerms]]:
        records = await store.read_journal(TERMS_JOURNAL, {"builder": builder} if builder else {})
        books = {name: await read_terms(store, name) for name in {record.builder for record in records}}
        named = [(record, books[record.builder].named(record.version)) for record in records]
        return [(record, terms) for record, terms in named if terms is not None]

    found = with_store(run)
    if prints_json:
        click.echo(json.dumps([_json(terms) | _who(record) for record, terms in found]))
        return
    if not found:
        click.echo("No payout terms are published: no threshold, no days held, chargebacks are the Builder's.")
    page = Page(emphasis=bold)
    for record, terms in found:
        page.heading(f"{terms.builder}, version {terms.version}, from {instant(terms.effective_from)}")
        page.field("held", f"{terms.hold_days} days from the end of the period")
        limits = ", ".join(f"{text(amount)} {currency}" for currency, amount in terms.threshold.items())
        page.field("threshold", limits or "none")
        page.field("chargebacks", f"{text(terms.chargeback_share)} of them is the Builder's")
        page.field("published", f"{instant(record.recorded_at)} by {record.recorded_by}: {record.reason}")
    if found:
        click.echo(page.text())


def _json(terms: PayoutTerms) -> dict[str, Any]:
    return {
        "builder": terms.builder,
        "version": terms.version,
        "effective_from": instant(terms.effective_from),
        "hold_days": terms.hold_days,
        "threshold": {currency: text(amount) for currency, amount in terms.threshold.items()},
        "chargeback_share": text(terms.chargeback_share),
        "digest": terms.digest,
    }


def _who(record: TermsRecord) -> dict[str, Any]:
    return {
        "published_at": instant(record.recorded_at),
        "published_by": record.recorded_by,
        "reason": record.reason,
    }
