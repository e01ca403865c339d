"""An entry of litellm's map, read: its numbers, its token prices, its other prices, its uplifts, and what is no price.

Every field whose name sounds like a price is accounted for: taken, or named with the reason why not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.prices.importers.contract import Notes, SkipReason, number, without_noise
from billing.prices.importers.litellm.keys import Key, parse_key
from billing.prices.importers.litellm.regions import ANYWHERE, BY_FIELD, Uplifts
from billing.prices.importers.litellm.tokens import FIELD, TokenPrices
from billing.prices.importers.litellm.units import UnitPrice, unit_prices

PRICE_LIKE = re.compile(r".*(cost|price|pricing|multiplier|uplift).*")
# Databricks' own units beside the dollars, what dollars were worked out from, and a second spelling of cached input.
NO_PRICES = re.compile(r".*_dbu_cost_per_token|metadata|input_cost_per_token_cache_hit")
NO_MODES = re.compile(r".*_(balanced|ultrafast|decisions)")
NO_METERS = frozenset({"cache_creation_input_audio_token_cost"})
TABLES = frozenset({"tiered_pricing", "off_peak_pricing", "search_context_cost_per_query", "guardrail_cost_per_unit"})


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of the map."""

    key: Key
    document: Mapping[str, object]
    tokens: TokenPrices
    units: tuple[UnitPrice, ...]
    uplifts: Uplifts
    stated: bool  # whether it states any price
    priced: bool  # whether one of them is above 0

    @property
    def names_provider(self) -> bool:
        """Whether the key begins with its provider, which is how litellm looks it up first."""
        return self.key.raw.split("/")[0] == self.key.provider


def read_row(raw: str, document: Mapping[str, object], notes: Notes) -> Row:
    """Read an entry that names its provider; what cannot be taken is noted."""
    key = parse_key(raw, str(document["litellm_provider"]))
    fields = _numbers(raw, document, notes)
    tokens = {name: price for name, price in fields.items() if FIELD.fullmatch(name)}
    units = tuple(unit_prices(key, document, fields))
    for unit in units:
        if unit.reason is not None:
            notes.skip(raw, unit.field, unit.reason, unit.sentence)
    _name_unknown(raw, fields.keys() - tokens.keys() - {unit.field for unit in units}, notes)
    prices = list(_stated(document))
    return Row(
        key=key,
        document=document,
        tokens=TokenPrices(tokens, _table(raw, document, notes), _off_peak(document), key.provider == "fireworks_ai"),
        units=units,
        uplifts=Uplifts.read(raw, key.provider, document, notes),
        stated=bool(prices),
        priced=any(prices),
    )


def _is_price(name: str) -> bool:
    return bool(PRICE_LIKE.fullmatch(name)) and not NO_PRICES.fullmatch(name) and name not in {*BY_FIELD, ANYWHERE}


def _stated(document: Mapping[str, object]) -> Iterator[Decimal]:
    """Every number that is a price, also in tables."""
    for name, value in document.items():
        if not _is_price(name):
            continue
        tables = value if isinstance(value, list) else [value]
        for table in tables:
            items = table.items() if isinstance(table, Mapping) else [(name, table)]
            for inner, each in items:
                price = number(each)
                if price is not None and (name not in {"tiered_pricing", "off_peak_pricing"} or _is_price(str(inner))):
                    yield price


def _numbers(raw: str, document: Mapping[str, object], notes: Notes) -> dict[str, Decimal]:
    fields: dict[str, Decimal] = {}
    for name, each in document.items():
        if each is None or name in TABLES or not _is_price(name):
            continue
        parsed = number(each)
        if parsed is None or parsed < 0:
            notes.skip(raw, name, SkipReason.MALFORMED, f"{str(each)[:80]!r} is no price")
        else:
            fields[name] = notes.clean(raw, name, parsed)
    return fields


def _name_unknown(raw: str, names: set[str], notes: Notes) -> None:
    for name in sorted(names):
        if NO_MODES.fullmatch(name):
            notes.skip(raw, name, SkipReason.NO_MODE, "for a service tier that no event can have")
        elif name in NO_METERS:
            notes.skip(raw, name, SkipReason.NO_METER, "no meter counts this, and litellm's cost function ignores it")
        else:
            notes.skip(raw, name, SkipReason.UNKNOWN_FIELD, "sounds like a price, and is not known here")


def _table(raw: str, document: Mapping[str, object], notes: Notes) -> tuple[tuple[int, Mapping[str, Decimal]], ...]:
    """`tiered_pricing`, where its ranges are of prompt tokens and follow each other."""
    listed = document.get("tiered_pricing")
    if listed is None:
        return ()
    tiers: list[tuple[int, Mapping[str, Decimal]]] = []
    end = Decimal(0)
    for tier in listed if isinstance(listed, list) else [None]:
        bounds = tier.get("range") if isinstance(tier, Mapping) else None
        start, stop = map(number, bounds) if isinstance(bounds, list) and len(bounds) == 2 else (None, None)
        if not isinstance(tier, Mapping) or start is None or stop is None or start != end:
            sentence = "its tiers are not of prompt tokens, one after another"
            notes.skip(raw, "tiered_pricing", SkipReason.NO_CONDITION, sentence)
            return ()
        end = stop
        prices = {name: price for name, each in tier.items() if (price := number(each)) is not None and _is_price(name)}
        for name in prices.keys() - {name for name in prices if FIELD.fullmatch(name)}:
            notes.skip(
                raw, f"tiered_pricing, {name}", SkipReason.UNKNOWN_FIELD, "sounds like a price, and is not known here"
            )
        tiers.append(
            (int(start), {name: notes.clean(raw, f"tiered_pricing, {name}", each) for name, each in prices.items()})
        )
    return tuple(tiers)


def _off_peak(document: Mapping[str, object]) -> Mapping[str, Decimal] | None:
    block = document.get("off_peak_pricing")
    if not isinstance(block, Mapping):
        return None
    return {name: without_noise(price) for name, each in block.items() if (price := number(each)) is not None}
