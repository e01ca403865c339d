"""A price book as TOML text: canonical, so that equal books are equal texts, and one price a line, so that a diff is
read as a list of price changes.

Order   providers, models, modes (standard first) and regions by name; in an entry the usual token meters first.
Prices  as many units as the price was given for, the number without needless zeros; `readable` chooses the number of
        units for a unit price that comes from elsewhere: a million where the price of one begins with zeros.
Equal   what is read back from the text is the same book, whatever order and spelling it was written in before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from decimal import Decimal

from billing.money import EXACT
from billing.prices.book import PriceBook
from billing.prices.conditions import DAYS, Hours, Tier
from billing.prices.entry import PriceEntry, Provenance
from billing.prices.price import Price

MILLION = 1_000_000
READABLE = Decimal("0.01")  # a unit price below a cent is easier to read for a million units
FIRST = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)
MODES = ("standard", "batch", "flex", "priority")
BARE = re.compile(r"[A-Za-z0-9_-]+")


def readable(unit_price: Decimal) -> Price:
    """The price of one unit, written for a million of them where that is easier to read. Raises as `Price` does."""
    if 0 < unit_price < READABLE:
        return Price(price=_plain(EXACT.multiply(unit_price, Decimal(MILLION))), per=MILLION)  # type: ignore[arg-type]
    return Price(price=_plain(unit_price), per=1)  # type: ignore[arg-type]


def entry_order(entry: PriceEntry) -> tuple[str, str, int, str, str]:
    """By provider and model; standard before the other modes, an entry of any region before those of one."""
    place = MODES.index(entry.mode) if entry.mode in MODES else len(MODES)
    return entry.provider, entry.model, place, entry.mode, entry.region


def toml_of(book: PriceBook, heading: Iterable[str] = ()) -> str:
    """The text of a book; `heading` are sentences to stand above it as comments."""
    lines = [f"# {line}" for line in heading]
    lines += [
        f"version = {_text(book.version)}",
        f"effective_from = {book.effective_from.astimezone(UTC).isoformat().replace('+00:00', 'Z')}",
        f"currency = {_text(book.currency)}",
        f"default_reward_share = {_number(book.default_reward_share)}",
    ]
    lines += ["retroactive = true"] if book.retroactive else []
    for contract in sorted(book.rewards, key=lambda contract: contract.provider):
        lines += ["", "[[rewards]]", f"provider = {_text(contract.provider)}", f"share = {_number(contract.share)}"]
    for entry in sorted(book.prices, key=entry_order):
        lines += ["", *_entry(entry)]
    for alias in sorted(book.aliases, key=lambda alias: (alias.provider, alias.model, sorted(alias.names))):
        lines += ["", "[[aliases]]", f"provider = {_text(alias.provider)}", f"model = {_text(alias.model)}"]
        lines.append(f"names = {_texts(sorted(alias.names))}")
    for region in sorted(book.regions, key=lambda region: (region.provider, region.region, sorted(region.models))):
        lines += ["", "[[regions]]", f"provider = {_text(region.provider)}", f"region = {_text(region.region)}"]
        lines.append(f"multiplier = {_number(region.multiplier)}")
        lines += [f"models = {_texts(sorted(region.models))}"] if region.models else []
    return "\n".join(lines) + "\n"


def _entry(entry: PriceEntry) -> Iterator[str]:
    yield "[[prices]]"
    yield f"provider = {_text(entry.provider)}"
    yield f"model = {_text(entry.model)}"
    if entry.mode != "standard":
        yield f"mode = {_text(entry.mode)}"
    if entry.region:
        yield f"region = {_text(entry.region)}"
    yield from _meters(entry.meters)
    if entry.provenance is not None:
        yield f"provenance = {_provenance(entry.provenance)}"
    yield from _tiers(entry.tiers, "prices.tiers")
    for hours in entry.hours:
        yield from _hours(hours)


def _hours(hours: Hours) -> Iterator[str]:
    yield "[[prices.hours]]"
    yield f"from = {_text(hours.from_)}"
    yield f"to = {_text(hours.to)}"
    if hours.zone != "UTC":
        yield f"zone = {_text(hours.zone)}"
    if hours.days != DAYS:
        yield f"days = {_texts(hours.days)}"
    yield from _meters(hours.meters)
    yield from _tiers(hours.tiers, "prices.hours.tiers")


def _tiers(tiers: Iterable[Tier], table: str) -> Iterator[str]:
    for tier in tiers:
        yield f"[[{table}]]"
        yield f"above = {tier.above}" if tier.above is not None else f"from = {tier.from_}"
        yield from _meters(tier.meters)


def _meters(meters: Mapping[str, Price]) -> Iterator[str]:
    for meter in sorted(meters, key=lambda meter: (FIRST.index(meter) if meter in FIRST else len(FIRST), meter)):
        price = meters[meter]
        name = meter if BARE.fullmatch(meter) else _text(meter)
        amount = _number(price.price)
        yield f"meters.{name} = {amount if price.per == 1 else f'{{ price = {amount}, per = {price.per} }}'}"


def _provenance(provenance: Provenance) -> str:
    parts = ((name, getattr(provenance, name)) for name in ("source", "key", "note", "url"))
    return "{ " + ", ".join(f"{name} = {_text(value)}" for name, value in parts if value) + " }"


def _number(value: Decimal) -> str:
    return f'"{_plain(value)}"'


def _plain(value: Decimal) -> str:
    return f"{value.normalize(EXACT):f}" if value else "0"


def _texts(values: Iterable[str]) -> str:
    return "[" + ", ".join(map(_text, values)) + "]"


def _text(value: str) -> str:
    """A basic string: as in JSON, and TOML wants the delete character escaped too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
