"""One set of prices of genai-prices, resolved into our disjoint meters, plain and for each size of the prompt.

A price is a number for so many units, or a base with tiers: above `start` tokens of input, the whole request costs the
tier's price. What has no price of its own derives from the wider class: cached input, tool input, audio, pictures and
video from input, an hour's cache write from cache writes, reasoning from output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.prices.conditions import Tier
from billing.prices.importers.contract import Notes, SkipReason, number, representable, too_precise
from billing.prices.writing import readable

MILLION, THOUSAND, HOUR, BILLION = 10**6, 10**3, 3600, 10**9
# Price key -> (meter, so many units). Meters of tokens resolve together, below.
TOKENS = {
    "input_mtok": "input_tokens",
    "output_mtok": "output_tokens",
    "cache_read_mtok": "cached_input_tokens",
    "cache_write_mtok": "cache_write_5m_tokens",
    "cache_write_1h_mtok": "cache_write_1h_tokens",
    "input_audio_mtok": "audio_input_tokens",
    "cache_audio_read_mtok": "cached_audio_input_tokens",
    "output_audio_mtok": "audio_output_tokens",
    "input_image_mtok": "image_input_tokens",
    "cache_image_read_mtok": "cached_image_input_tokens",
    "output_image_mtok": "image_output_tokens",
    "input_video_mtok": "video_input_tokens",
    "output_video_mtok": "video_output_tokens",
    "input_tool_mtok": "tool_use_input_tokens",
    "output_reasoning_mtok": "reasoning_tokens",
    "output_citation_mtok": "citation_tokens",
}
FIVE_MINUTES = "cache_write_5m_mtok"  # takes the place of cache writes in general, where it is stated
UNITS = {
    "input_mchars": ("input_characters", MILLION),
    "input_text_messages_kcount": ("input_messages", THOUSAND),
    "audio_hours": ("audio_input_seconds", HOUR),
    "input_audio_hours": ("audio_input_seconds", HOUR),
    "output_audio_hours": ("audio_output_seconds", HOUR),
    "input_document_kpages": ("scanned_pages", THOUSAND),
    "input_annotated_document_kpages": ("annotated_pages", THOUSAND),
    "web_searches_kcount": ("search_queries", THOUSAND),
    "storage_searches_kcount": ("file_searches", THOUSAND),
    "code_executions_kcount": ("code_sessions", THOUSAND),
    "requests_kcount": ("provider_requests", THOUSAND),
}
# Meter -> the meters whose price it has where it has none itself, the nearest first.
DERIVED = {
    "cached_input_tokens": ("input_tokens",),
    "cache_write_5m_tokens": ("input_tokens",),
    "cache_write_1h_tokens": ("cache_write_5m_tokens", "input_tokens"),
    "tool_use_input_tokens": ("input_tokens",),
    "reasoning_tokens": ("output_tokens",),
}
DERIVED_IF_STATED = {
    "cached_audio_input_tokens": "audio_input_tokens",
    "cached_image_input_tokens": "image_input_tokens",
}
Price = tuple[Decimal, tuple[tuple[int, Decimal], ...]]  # of the base, and above so many tokens


@dataclass(frozen=True, slots=True)
class Resolved:
    """Meters and context tiers."""

    meters: dict[str, Decimal]
    tiers: tuple[Tier, ...]


def resolve(key: str, prices: Mapping[str, object], notes: Notes) -> Resolved:
    """One set of prices; what cannot be taken is noted under `key`."""
    read = {name: found for name, value in prices.items() if (found := _read(key, name, value, notes)) is not None}
    bounds = sorted({bound for _, tiers in read.values() for bound, _ in tiers})
    base, above = _meters(read, None), {bound: _meters(read, bound) for bound in bounds}
    for meters in (base, *above.values()):
        for meter, price in list(meters.items()):
            if not representable(price):
                notes.add(too_precise(key, meter, price))
                for layer in (base, *above.values()):
                    layer.pop(meter, None)
    return Resolved(base, tuple(_tiers(base, above)))


def _read(key: str, name: str, value: object, notes: Notes) -> Price | None:
    if name not in TOKENS and name not in UNITS and name != FIVE_MINUTES:
        known = name.endswith(("_mtok", "_kcount", "_hours", "_gpixels"))
        reason = SkipReason.NO_METER if known else SkipReason.UNKNOWN_FIELD
        notes.skip(key, name, reason, "no meter counts this" if known else "sounds like a price, and is not known here")
        return None
    plain = number(value)
    if plain is not None and plain >= 0:
        return plain, ()
    if isinstance(value, Mapping) and isinstance(value.get("tiers"), list):
        base = number(value.get("base"))
        tiers = [
            (number(tier.get("start")), number(tier.get("price")))
            for tier in value["tiers"]
            if isinstance(tier, Mapping)
        ]
        if base is not None and all(start is not None and price is not None for start, price in tiers):
            return base, tuple(
                sorted((int(start), price) for start, price in tiers if start is not None and price is not None)
            )
    notes.skip(key, name, SkipReason.MALFORMED, f"{str(value)[:80]!r} is no price")
    return None


def _at(price: Price, bound: int | None) -> Decimal:
    base, tiers = price
    reached = [above for start, above in tiers if bound is not None and start <= bound]
    return reached[-1] if reached else base


def _meters(prices: Mapping[str, Price], bound: int | None) -> dict[str, Decimal]:
    found = {meter: _at(prices[name], bound) / MILLION for name, meter in TOKENS.items() if name in prices}
    if FIVE_MINUTES in prices:
        found["cache_write_5m_tokens"] = _at(prices[FIVE_MINUTES], bound) / MILLION
    for meter, wider in DERIVED.items():
        known = next((found[each] for each in wider if each in found), None)
        if known is not None:
            found.setdefault(meter, known)
    for meter, modal in DERIVED_IF_STATED.items():
        if modal in found and "cached_input_tokens" in found:
            found.setdefault(meter, found["cached_input_tokens"] if "cache_read_mtok" in prices else found[modal])
    for name, (meter, units) in UNITS.items():
        if name in prices:
            found[meter] = _at(prices[name], bound) / units
    return found


def _tiers(base: Mapping[str, Decimal], above: Mapping[int, Mapping[str, Decimal]]) -> Iterator[Tier]:
    below = base
    for bound, meters in sorted(above.items()):
        if meters != below:
            changed = {meter: price for meter, price in meters.items() if price != base.get(meter)}
            undone = {meter: price for meter, price in meters.items() if price != below.get(meter)}
            priced = {meter: readable(price) for meter, price in (changed or undone).items()}
            yield Tier.model_validate({"above": bound, "meters": priced})
        below = meters
