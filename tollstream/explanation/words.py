"""Numbers, times and sentences that several pages share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.explanation import Charge, UsageExplanation, plain
from topics.meters import MeterKind

TO_DO = "To do: "
TAKE_BACK = "This event is taken back by a void, and published again under a new id."
# How what waits gets a price; `tollstream unpriced` says the same.
LATER = (
    "`tollstream rerate --unpriced` rates what waits with the first later version that has it; with a `retroactive` "
    "version only where --prices VERSION or --rules VERSION names it."
)
OR_ELSE = f"Or publish a rule book that charges it otherwise. {LATER}"

NAMES = {
    "customer_charge": "customer charge",
    "provider_reward": "provider reward",
    "platform_fee": "platform fee",
    "builder_earnings": "Builder earnings",
    "base_cost": "what the AI cost",
}


def money(amount: Decimal) -> str:
    """All twelve places."""
    return f"{amount:.12f}"


def signed(amount: Decimal) -> str:
    """All twelve places, and the sign in any case."""
    return f"{amount:+.12f}"


def grouped(number: Decimal | int) -> str:
    """A quantity as people read it: 250,000 or 0.5."""
    whole, point, places = plain(number).partition(".")
    return f"{int(whole):,}{point}{places}" if whole != "-0" else f"-0{point}{places}"


def counted(number: int, noun: str) -> str:
    """`1 event`, `2,000 events`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def time(moment: datetime) -> str:
    """RFC 3339 in UTC, without decimals that are 0."""
    text = moment.astimezone(UTC).isoformat()
    return text.removesuffix("+00:00") + "Z"


def charged(charge: Charge, currency: str) -> str:
    """What a rule charges, bounds and all."""
    words = charge.words
    for bound in charge.bounds:
        if bound.binds:
            words += f", but {'at most' if bound.name == 'cap' else 'at least'} {plain(bound.limit)} {currency}"
    return words


def missing(told: UsageExplanation, row: Mapping[str, Any], begins: datetime | None) -> list[str]:
    """Why usage has no price: what was missing, where it was looked for, what to do."""
    happened = time(row["event_time"])
    if told.unpriced_reason == "no_book":
        first = f" The first one begins at {time(begins)}." if begins else ""
        return [f"No price book applied at {happened}.{first}", _publish("a price book with this price")]
    if told.unpriced_reason == "no_rule":
        if told.rules is None:
            return [f"No rule book applied at {happened}.", _publish("a rule book with a rule for it")]
        nearest = [
            f"Nearest is rule {each.rule.id}: {'; '.join(one.sentence for one in each.differences)}."
            for each in told.resolution.nearest[:1]
        ]
        return [
            f"No rule of rule book {told.rules.version} matches it.",
            *nearest,
            _publish("a rule book with a rule for it"),
        ]
    if told.unpriced_reason == "no_unit" and told.resolution.winner is not None:
        rule = told.resolution.winner
        return [
            f"Rule {rule.id} charges by {rule.meter}, and the event says nothing of {rule.meter}.",
            "Its charge would be 0, and nobody said that it is free.",
            f"{TO_DO}whoever sends these events has to say how many {rule.meter} there were. {TAKE_BACK} {OR_ELSE}",
        ]
    meters = ", ".join(each.meter.name for each in told.meters if each.missing)
    if told.unpriced_reason == "no_model":
        return [
            f"It used {meters}, and does not say which provider and model served it: no price can be looked up.",
            f"{TO_DO}the gateway has to send provider and model. {TAKE_BACK}",
        ]
    return [f"Price book {told.book.version if told.book else ''} has no price for {meters}.", *_looked_for(told)]


def _looked_for(told: UsageExplanation) -> list[str]:
    key = told.lookup
    words = " / ".join(filter(None, (key.provider, key.model, key.mode, key.region)))
    sentences = [f"Looked for: {words}{', then the same without a region' if key.region else ''}."]
    if told.quote is not None:
        sentences.append(f"The entry {told.quote.entry.words} has prices for {', '.join(sorted(told.quote.prices))}.")
    else:
        sentences.append("There is no such entry, and none is guessed.")
    if key.others:
        sentences.append(f"Of this model the book has: {'; '.join(key.others)}.")
    return [*sentences, _publish("a price book with this price")]


def _publish(what: str) -> str:
    return f"{TO_DO}publish {what}, if nobody has since. {LATER}"


def business(told: UsageExplanation) -> list[str]:
    """Quantities that no price book prices, as they stand in the event."""
    return [
        f"{each.meter.name} {grouped(each.quantity)}" for each in told.counted if each.meter.kind is MeterKind.BUSINESS
    ]
