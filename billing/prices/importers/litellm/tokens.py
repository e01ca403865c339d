"""What a token of each class costs in litellm, by service tier, size of the prompt and time of day.

Follows litellm's generic cost function and its batch cost function, rate by rate; our classes are disjoint, theirs are
parts of the prompt and of the completion, and come to the same. A price that the map does not state resolves as there:

    cached input, cache writes   the input price (fireworks_ai: cached input half of it); writes for 1 h and 12 h the
                                 price of other writes
    audio, image, video input    the input price; cached audio and images the price of cached input
    reasoning                    the output price, of the service tier if that has one of its own
    audio, image, video output   the output price
    flex, priority               the standard price, one by one
    batch                        cached input its standard price, cache writes the input price of batches

litellm guesses that a batch costs half where the map has no batch price. That is not followed: no price, no guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

SUFFIXES = {"standard": "", "batch": "_batches", "flex": "_flex", "priority": "_priority"}
INPUT, OUTPUT = "input_cost_per_token", "output_cost_per_token"
READ, WRITE = "cache_read_input_token_cost", "cache_creation_input_token_cost"
EXPLICIT_READ = "explicit_cache_read_input_token_cost"
REASONING = "output_cost_per_reasoning_token"
WRITES_BY_LIFETIME = {"cache_write_1h_tokens": f"{WRITE}_above_1hr", "cache_write_12h_tokens": f"{WRITE}_above_12hr"}
MODAL_INPUT = {
    "audio_input_tokens": "input_cost_per_audio_token",
    "image_input_tokens": "input_cost_per_image_token",
    "video_input_tokens": "input_cost_per_video_token",
}
CACHED_MODAL = {
    "cached_audio_input_tokens": "cache_read_input_audio_token_cost",
    "cached_image_input_tokens": "cache_read_input_image_token_cost",
}
MODAL_OUTPUT = {
    "audio_output_tokens": "output_cost_per_audio_token",
    "image_output_tokens": "output_cost_per_image_token",
    "video_output_tokens": "output_cost_per_video_token",
}
STEERED = (INPUT, OUTPUT, READ, WRITE)  # the prices that a prompt size replaces
BASES = (
    *STEERED,
    *WRITES_BY_LIFETIME.values(),
    EXPLICIT_READ,
    REASONING,
    *MODAL_INPUT.values(),
    *CACHED_MODAL.values(),
)
FIELD = re.compile(
    rf"({'|'.join(sorted((*BASES, *MODAL_OUTPUT.values()), key=len, reverse=True))})"
    r"(?:_above_(\d+k?)_tokens)?(_batches|_flex|_priority)?"
)
FIREWORKS_CACHED = Decimal("0.5")  # of the input price, where a model of fireworks_ai states no price of cached input
Rates = dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """The token prices of one entry of the map."""

    fields: Mapping[str, Decimal]  # those that FIELD matches
    table: tuple[tuple[int, Mapping[str, Decimal]], ...] = ()  # `tiered_pricing`: above so many tokens, these prices
    off_peak: Mapping[str, Decimal] | None = None
    halves_cached: bool = False  # fireworks_ai

    def modes(self) -> list[str]:
        """The service tiers that have an input or output price of their own."""
        priced = [mode for mode, suffix in SUFFIXES.items() if {INPUT + suffix, OUTPUT + suffix} & self.fields.keys()]
        return [*(["standard"] if "standard" not in priced and (self.fields or self.table) else []), *priced]

    def bounds(self) -> list[int]:
        """The prompt sizes above which something costs otherwise."""
        found = {_tokens(match[2]) for name in self.fields if (match := FIELD.fullmatch(name)) and match[2]}
        return sorted(found | {start for start, _ in self.table if start})

    def rates(self, mode: str, bound: int | None, *, off_peak: bool = False) -> Rates:
        """Meter to price, of every class that has one, for prompts above `bound` (None: the smallest)."""
        prices = _Resolved(self, SUFFIXES[mode], bound, (self.off_peak or {}) if off_peak else {})
        if mode == "batch":
            return prices.batch()
        tier = next((tier for start, tier in reversed(self.table) if start <= (bound or 0)), None)
        return prices.table(tier) if tier is not None and INPUT in tier else prices.generic()


def _tokens(text: str) -> int:
    return int(text.removesuffix("k")) * (1000 if text.endswith("k") else 1)


def _given(rates: Mapping[str, Decimal | None]) -> Rates:
    return {meter: price for meter, price in rates.items() if price is not None}


def _first(*prices: Decimal | None) -> Decimal | None:
    return next((price for price in prices if price is not None), None)


@dataclass(frozen=True, slots=True)
class _Resolved:
    """Prices under one service tier, prompt size and time."""

    prices: TokenPrices
    suffix: str
    bound: int | None
    off_peak: Mapping[str, Decimal]

    def _price(self, name: str) -> Decimal | None:
        """The service tier's price, else the standard one."""
        return _first(self.prices.fields.get(name + self.suffix), self.prices.fields.get(name))

    def _crossed(self, bases: tuple[str, ...], suffixes: tuple[str, ...]) -> list[str]:
        """The prompt sizes reached, as written in the map, the highest last."""
        found = {
            match[2]
            for name in self.prices.fields
            if (match := FIELD.fullmatch(name))
            and match[2]
            and match[1] in bases
            and (match[3] or "") in suffixes
            and _tokens(match[2]) <= (self.bound or -1)
        }
        return sorted(found, key=_tokens)

    def _steered(self) -> dict[str, Decimal | None]:
        """Input, output, read and write, each replaced by the highest size reached that has a price for it."""
        found = {name: self._price(name) for name in STEERED}
        keys = dict(WRITES_BY_LIFETIME)
        for size in self._crossed((*STEERED, *WRITES_BY_LIFETIME.values()), ("", self.suffix)):
            for name in STEERED:
                found[name] = _first(self._price(f"{name}_above_{size}_tokens"), found[name])
            for meter, name in WRITES_BY_LIFETIME.items():
                if f"{name}_above_{size}_tokens{self.suffix}" in self.prices.fields:
                    keys[meter] = f"{name}_above_{size}_tokens"
        return found | {meter: self._price(name) for meter, name in keys.items()}

    def generic(self) -> Rates:
        """As litellm's generic cost function resolves them, without a table of tiers."""
        found = self._steered()
        plain_input = self.off_peak.get(INPUT, found[INPUT])
        read, written = found[READ], found[WRITE]
        if read is None and self.prices.halves_cached and INPUT in self.prices.fields:
            read = self.off_peak.get(INPUT, self.prices.fields[INPUT]) * FIREWORKS_CACHED
        output = self.off_peak.get(OUTPUT, found[OUTPUT])
        write = self.off_peak.get(WRITE, _first(written, plain_input))
        lifetimes = {meter: _first(found[meter], write) for meter in WRITES_BY_LIFETIME}
        cached = self.off_peak.get(READ, _first(read, plain_input))
        return self._all(plain_input, cached, write, lifetimes, output, self._reasoning(output))

    def table(self, tier: Mapping[str, Decimal]) -> Rates:
        """As where a table of tiers gives all prices: what it does not state costs its input price."""
        flat_output = self.prices.fields.get(OUTPUT)
        plain_input = self.off_peak.get(INPUT, tier[INPUT])
        output = self.off_peak.get(OUTPUT, tier.get(OUTPUT, flat_output))
        cached = self.off_peak.get(READ, tier.get(READ, tier[INPUT]))
        write = self.off_peak.get(WRITE, tier.get(WRITE, tier[INPUT]))
        lifetimes = {meter: tier.get(name, write) for meter, name in WRITES_BY_LIFETIME.items()}
        of_tier = _first(tier.get(REASONING), tier.get(OUTPUT))
        reasoning = _first(self.off_peak.get(REASONING), of_tier, self._reasoning(output))
        return self._all(plain_input, cached, write, lifetimes, output, reasoning, tier)

    def _reasoning(self, output: Decimal | None) -> Decimal | None:
        fields = self.prices.fields
        if self.suffix:
            if REASONING + self.suffix in fields:
                return fields[REASONING + self.suffix]
            if OUTPUT + self.suffix in fields:
                return _first(self.off_peak.get(REASONING), output)
        return _first(self.off_peak.get(REASONING), fields.get(REASONING), output)

    def _all(
        self,
        plain_input: Decimal | None,
        cached: Decimal | None,
        write: Decimal | None,
        lifetimes: Mapping[str, Decimal | None],
        output: Decimal | None,
        reasoning: Decimal | None,
        tier: Mapping[str, Decimal] | None = None,
    ) -> Rates:
        fields = self.prices.fields
        explicit = self._explicit(tier)
        if explicit is not None or EXPLICIT_READ in self.off_peak:
            explicit = _first(self.off_peak.get(EXPLICIT_READ), self.off_peak.get(READ), explicit)
        return _given(
            {
                "input_tokens": plain_input,
                "cached_input_tokens": cached,
                "explicit_cached_input_tokens": explicit,
                "cache_write_5m_tokens": write,
                **lifetimes,
                **{meter: _first(self._modal(name), plain_input) for meter, name in MODAL_INPUT.items()},
                **{meter: _first(self._price(name), cached) for meter, name in CACHED_MODAL.items()},
                "output_tokens": output,
                "reasoning_tokens": reasoning,
                "audio_output_tokens": _first(fields.get(MODAL_OUTPUT["audio_output_tokens"]), output),
                "image_output_tokens": _first(self._price(MODAL_OUTPUT["image_output_tokens"]), output),
                "video_output_tokens": _first(fields.get(MODAL_OUTPUT["video_output_tokens"]), output),
            }
        )

    def _explicit(self, tier: Mapping[str, Decimal] | None) -> Decimal | None:
        """The price of reads from a cache that was asked for, where there is one."""
        flat = self._price(EXPLICIT_READ)
        if tier is None:
            return flat
        stated = tier.get(EXPLICIT_READ)
        return stated if stated is not None or flat is None else tier.get(READ, tier[INPUT])

    def _modal(self, name: str) -> Decimal | None:
        """A modality's own price; only that of audio depends on the size of the prompt."""
        if name == MODAL_INPUT["audio_input_tokens"]:
            sizes = self._crossed((name,), ("", self.suffix))
            name = f"{name}_above_{sizes[-1]}_tokens" if sizes else name
        return self._price(name)

    def batch(self) -> Rates:
        """As litellm's batch cost function resolves them, but for its guess of half the standard price."""
        plain_input, output = self._batch(INPUT), self._batch(OUTPUT)
        read, written = self._batch(READ), self._batch(WRITE)
        cached = _first(read, self._standard(READ), plain_input)
        lifetimes = {meter: self._batch(name) for meter, name in WRITES_BY_LIFETIME.items()}
        write = _first(written, plain_input)
        if output is None and self.prices.fields.get(OUTPUT) == 0:
            output = Decimal(0)
        image = self.prices.fields.get(MODAL_OUTPUT["image_output_tokens"] + self.suffix)
        if image is None and MODAL_OUTPUT["image_output_tokens"] not in self.prices.fields:
            image = output
        modal = {meter: _first(self._batch_modal(name), plain_input) for meter, name in MODAL_INPUT.items()}
        audio = CACHED_MODAL["cached_audio_input_tokens"]
        cached_audio = _first(self.prices.fields.get(audio + self.suffix), read, self._standard(audio), cached)
        return _given(
            {
                "input_tokens": plain_input,
                "cached_input_tokens": cached,
                "cache_write_5m_tokens": write,
                **{meter: _first(price, write) for meter, price in lifetimes.items()},
                **modal,
                "cached_audio_input_tokens": cached_audio,
                "cached_image_input_tokens": cached,
                "output_tokens": output,
                "reasoning_tokens": output,
                "audio_output_tokens": output,
                "image_output_tokens": image,
                "video_output_tokens": output,
            }
        )

    def _batch(self, name: str) -> Decimal | None:
        """A batch price, each of its own prompt sizes."""
        sizes = self._crossed((name,), (self.suffix,))
        tiered = self.prices.fields.get(f"{name}_above_{sizes[-1]}_tokens{self.suffix}") if sizes else None
        return _first(tiered, self.prices.fields.get(name + self.suffix))

    def _batch_modal(self, name: str) -> Decimal | None:
        """A modality's batch price; only that of audio depends on the size of the prompt."""
        sizes = self._crossed((name,), ("", self.suffix)) if name == MODAL_INPUT["audio_input_tokens"] else []
        of_size = self.prices.fields.get(f"{name}_above_{sizes[-1]}_tokens{self.suffix}") if sizes else None
        return _first(of_size, self.prices.fields.get(name + self.suffix))

    def _standard(self, name: str) -> Decimal | None:
        """The standard price, of the prompt size reached."""
        sizes = self._crossed((name,), ("",))
        return self.prices.fields.get(f"{name}_above_{sizes[-1]}_tokens" if sizes else name)
