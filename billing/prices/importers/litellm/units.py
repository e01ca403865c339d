"""What litellm's map prices otherwise than by the token: pictures, seconds, characters, pages, queries, sessions.

A field says what is counted, and the entry's `mode` what it is for: a second of `audio_transcription` is heard, one of
`video_generation` shown. Where an entry prices the same usage by the token as well, that price is taken and this one is
not: a gateway counts a picture in tokens or in pictures, and two prices would bill it twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.prices.importers.contract import SkipReason, number
from billing.prices.importers.litellm.keys import Key
from billing.prices.importers.litellm.tokens import FIELD

TEXT_MODES = frozenset({"chat", "completion", "responses", "embedding", ""})
SPOKEN_MODES = frozenset({"audio_speech", "realtime"})
PICTURE_MODES = frozenset({"image_generation", "image_edit"})
GROUNDED = frozenset({"gemini", "vertex_ai"})  # who bills a search once for a prompt unless `web_search_billing_unit`
OF_RESOLUTION = re.compile(r"output_cost_per_(image|second)_(0\.5K|[124]K|512|1024|1536|480p|720p|768p|1080p|2k|4k)")
CONDITIONAL = re.compile(r".*_(above_\d+k?_tokens|above_\d+s_interval)")
GUARDRAIL = re.compile(r"([a-z]+(?:[A-Z][a-z]+)*)Units")
SIMPLE = {
    "input_cost_per_request": "provider_requests",
    "input_cost_per_text_message": "input_messages",
    "citation_cost_per_token": "citation_tokens",
    "code_interpreter_cost_per_session": "code_sessions",
    "ocr_cost_per_page": "scanned_pages",
    "annotation_cost_per_page": "annotated_pages",
    "ocr_cost_per_credit": "provider_credits",
    "output_cost_per_character": "output_characters",
    "input_cost_per_audio_per_second": "audio_input_seconds",
}
IN_THOUSANDS = {"file_search_cost_per_1k_calls": "file_searches"}
QUERIES = {"rerank": "rerank_queries", "embedding": "embedding_queries", "evaluation": "provider_requests"}


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """One price, or the reason why a field gives none."""

    field: str
    meter: str = ""
    price: Decimal | None = None
    reason: SkipReason | None = None
    sentence: str = ""
    batch: bool = False


def unit_prices(key: Key, document: Mapping[str, object], fields: Mapping[str, Decimal]) -> Iterator[UnitPrice]:
    """Every price of an entry that is not one of tokens; `fields` are all its plain numbers, those of tokens, too."""
    entry = _Entry(key, document, fields)
    for name, price in fields.items():
        if FIELD.fullmatch(name):
            continue
        if CONDITIONAL.fullmatch(name):
            yield UnitPrice(
                name, reason=SkipReason.NO_CONDITION, sentence="for a size or an interval that no event tells"
            )
        elif name in SIMPLE or name.removesuffix("_batches") in SIMPLE:
            yield UnitPrice(name, SIMPLE[name.removesuffix("_batches")], price, batch=name.endswith("_batches"))
        elif name in IN_THOUSANDS:
            yield UnitPrice(name, IN_THOUSANDS[name], price / 1000)
        elif (rule := _RULES.get(name)) is not None:
            yield rule(entry, name, price)
        elif match := OF_RESOLUTION.fullmatch(name):
            yield entry.of_resolution(name, match[1], match[2].lower().replace(".", "_"), price)
    yield from entry.tables()


@dataclass(frozen=True, slots=True)
class _Entry:
    key: Key
    document: Mapping[str, object]
    fields: Mapping[str, Decimal]

    @property
    def mode(self) -> str:
        return str(self.document.get("mode") or "")

    def has(self, *names: str) -> bool:
        """Whether one of these fields is a price above 0."""
        return any(self.fields.get(name) for name in names)

    def _other(self, name: str, what: str) -> UnitPrice:
        return UnitPrice(name, reason=SkipReason.ANOTHER_UNIT, sentence=f"{what}: both would bill the same usage")

    def input_image(self, name: str, price: Decimal) -> UnitPrice:
        """A picture read, or, where nothing else is said of pictures made, one made (as OpenAI's are listed)."""
        if (
            self.mode in PICTURE_MODES
            and not {"output_cost_per_image", "output_cost_per_image_token"} & self.fields.keys()
        ):
            return UnitPrice(name, f"generated_images{self.key.variant}", price)
        if self.mode != "embedding" and self.has("input_cost_per_token"):
            return self._other(name, "pictures read are priced in tokens")
        return UnitPrice(name, "input_images", price)

    def output_image(self, name: str, price: Decimal) -> UnitPrice:
        """A picture made; a piece of music where the entry makes none."""
        if self.has("output_cost_per_image_token"):
            return self._other(name, "pictures made are priced in tokens")
        if self.mode in PICTURE_MODES:
            return UnitPrice(name, f"generated_images{self.key.variant}", price)
        if self.has("input_cost_per_token", "output_cost_per_token"):
            return self._other(name, "what the model answers is priced in tokens")
        return UnitPrice(name, "provider_requests", price)

    def pixel(self, name: str, price: Decimal) -> UnitPrice:
        """A pixel made: of a size that the key tells, a picture; else counted as pixels."""
        if self.has("input_cost_per_image", "output_cost_per_image"):
            return self._other(name, "pictures are priced one by one")
        if name.startswith("output") and not price:
            return self._other(name, "pixels are priced as input")
        if self.key.size:
            width, height = self.key.size
            return UnitPrice(name, f"generated_images{self.key.variant}", price * width * height)
        return UnitPrice(name, "generated_pixels", price)

    def of_resolution(self, name: str, what: str, resolution: str, price: Decimal) -> UnitPrice:
        """A picture or a second of video of some resolution."""
        return UnitPrice(name, f"generated_{'images' if what == 'image' else 'video_seconds'}_{resolution}", price)

    def output_second(self, name: str, price: Decimal) -> UnitPrice:
        if self.mode == "video_generation":
            return UnitPrice(name, "generated_video_seconds", price)
        if self.mode == "audio_transcription":
            if not price:
                return self._other(name, "what is heard is priced as input")
            return UnitPrice(name, "audio_input_seconds", price)
        if self.has("output_cost_per_audio_token", "output_cost_per_token"):
            return self._other(name, "what is spoken is priced in tokens")
        return UnitPrice(name, "audio_output_seconds" if self.mode in SPOKEN_MODES else "compute_seconds", price)

    def input_second(self, name: str, price: Decimal) -> UnitPrice:
        if self.has("input_cost_per_token", "input_cost_per_audio_token"):
            return self._other(name, "what is heard is priced in tokens")
        if self.mode == "audio_transcription" and self.has("output_cost_per_second"):
            return self._other(name, "what is heard is priced as output")
        return UnitPrice(name, "compute_seconds" if self.mode in TEXT_MODES else "audio_input_seconds", price)

    def second(self, name: str, price: Decimal) -> UnitPrice:
        if self.has("input_cost_per_token", "output_cost_per_token"):
            return self._other(name, "the entry is priced in tokens")
        return UnitPrice(name, "compute_seconds", price)

    def video_second(self, name: str, price: Decimal) -> UnitPrice:
        if name.startswith("output"):
            return UnitPrice(name, "generated_video_seconds", price)
        if any(other.startswith(f"{name}_above_") for other in self.fields):
            sentence = "differs by an interval that no event tells"
            return UnitPrice(name, reason=SkipReason.NO_CONDITION, sentence=sentence)
        if self.mode != "embedding" and self.has("input_cost_per_token", "input_cost_per_video_token"):
            return self._other(name, "video is priced in tokens")
        return UnitPrice(name, "video_input_seconds", price)

    def character(self, name: str, price: Decimal) -> UnitPrice:
        if self.has("input_cost_per_token"):
            return self._other(name, "text is priced in tokens")
        return UnitPrice(name, "input_characters", price)

    def query(self, name: str, price: Decimal) -> UnitPrice:
        return UnitPrice(name, QUERIES.get(self.mode, "search_queries"), price)

    def maps(self, name: str, price: Decimal) -> UnitPrice:
        return UnitPrice(name, "map_queries" if self._by_query else "map_grounded_prompts", price)

    @property
    def _by_query(self) -> bool:
        """Whether a search is billed for itself, not once for the prompt that led to it."""
        return self.key.provider not in GROUNDED or self.document.get("web_search_billing_unit") == "per_query"

    def tables(self) -> Iterator[UnitPrice]:
        """What is priced in a table of its own."""
        searches = self.document.get("search_context_cost_per_query")
        if isinstance(searches, Mapping):
            yield from self._searches(
                {str(size): price for size, each in searches.items() if (price := number(each)) is not None}
            )
        guardrails = self.document.get("guardrail_cost_per_unit")
        for unit, each in guardrails.items() if isinstance(guardrails, Mapping) else ():
            match, price = GUARDRAIL.fullmatch(str(unit)), number(each)
            if match is not None and price is not None:
                words = re.sub(r"([A-Z])", lambda letter: "_" + letter[1].lower(), match[1])
                yield UnitPrice("guardrail_cost_per_unit", f"guardrail_{words.replace('_policy', '')}_units", price)
        if "search_free_requests" in self.document:
            sentence = "a number of searches free in each period: the statement's business"
            yield UnitPrice("search_free_requests", reason=SkipReason.ALLOWANCE, sentence=sentence)

    def _searches(self, sizes: Mapping[str, Decimal]) -> Iterator[UnitPrice]:
        name = "search_context_cost_per_query"
        if not self._by_query:
            price = sizes.get("search_context_size_medium")
            if price is not None:
                yield UnitPrice(name, "grounded_prompts", price)
        elif len(set(sizes.values())) == 1:
            yield UnitPrice(name, "search_queries", next(iter(sizes.values())))
        else:
            for size, price in sizes.items():
                yield UnitPrice(name, f"search_queries_{size.removeprefix('search_context_size_')}", price)


_RULES = {
    "input_cost_per_image": _Entry.input_image,
    "output_cost_per_image": _Entry.output_image,
    "input_cost_per_pixel": _Entry.pixel,
    "output_cost_per_pixel": _Entry.pixel,
    "output_cost_per_second": _Entry.output_second,
    "input_cost_per_second": _Entry.input_second,
    "cost_per_second": _Entry.second,
    "input_cost_per_video_per_second": _Entry.video_second,
    "output_cost_per_video_per_second": _Entry.video_second,
    "input_cost_per_character": _Entry.character,
    "input_cost_per_query": _Entry.query,
    "google_maps_grounding_cost_per_query": _Entry.maps,
}
