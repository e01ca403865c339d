"""Which classes of tokens an entry of litellm's map gets a price for, own or derived.

A class that the map prices is stated. So is one that the model can have by what the map says of its abilities, at the
price it derives from (reasoning at the output price, and so on): otherwise such usage would wait as unpriced although
litellm, and the provider, know what it costs. A class that the model cannot have is not stated.
"""

from __future__ import annotations

from collections.abc import Mapping

from billing.prices.importers.litellm.tokens import (
    CACHED_MODAL,
    EXPLICIT_READ,
    INPUT,
    MODAL_INPUT,
    MODAL_OUTPUT,
    OUTPUT,
    READ,
    REASONING,
    SUFFIXES,
    WRITE,
    WRITES_BY_LIFETIME,
    TokenPrices,
)

TALKS = frozenset({"chat", "completion", "responses", "realtime", "decisions", "evaluation", "extraction", ""})
OWN = {
    "input_tokens": INPUT,
    "output_tokens": OUTPUT,
    "cached_input_tokens": READ,
    "explicit_cached_input_tokens": EXPLICIT_READ,
    "cache_write_5m_tokens": WRITE,
    "reasoning_tokens": REASONING,
    **WRITES_BY_LIFETIME,
    **MODAL_INPUT,
    **CACHED_MODAL,
    **MODAL_OUTPUT,
}
TOOL_PROMPTS = frozenset({"gemini", "vertex_ai"})  # whose usage tells the input that tools added
INPUTS = {"audio_input_tokens": "audio", "image_input_tokens": "vision", "video_input_tokens": "video"}
OUTPUTS = {"audio_output_tokens": "audio", "image_output_tokens": "image", "video_output_tokens": "video"}


def stated_meters(provider: str, document: Mapping[str, object], prices: TokenPrices, mode: str) -> frozenset[str]:
    """The meters of tokens that an entry of this service tier prices."""
    suffix = SUFFIXES[mode]
    names = {*prices.fields, *(name for _, tier in prices.table for name in tier), *(prices.off_peak or {})}
    known = {name.split("_above_")[0] if "1hr" not in name and "12hr" not in name else name for name in names}
    own = {meter for meter, name in OWN.items() if {name, name + suffix} & (names | known)}
    for meter, name in WRITES_BY_LIFETIME.items():
        own |= {meter} if any(other.startswith(name) for other in names) else set()
    kind = str(document.get("mode") or "")
    if "input_tokens" in own:
        if kind in TALKS:
            own |= {"cached_input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"}
            own |= {meter for meter, ability in INPUTS.items() if _able(document, f"supports_{ability}", ability)}
            own |= {f"cached_{meter}" for meter in ("audio_input_tokens", "image_input_tokens") if meter in own}
            own |= {"tool_use_input_tokens"} if provider in TOOL_PROMPTS else set()
        if kind == "embedding":
            own.add("embedding_tokens")
    if "output_tokens" in own and kind in TALKS:
        own.add("reasoning_tokens")
        listed = document.get("supported_output_modalities")
        own |= {meter for meter, what in OUTPUTS.items() if isinstance(listed, list) and what in listed}
    if mode == "batch":
        own.discard("explicit_cached_input_tokens")
    return frozenset(own)


def _able(document: Mapping[str, object], flag: str, ability: str) -> bool:
    """Whether the model takes such input, by a flag or by its list of modalities."""
    listed = document.get("supported_modalities")
    word = "image" if ability == "vision" else ability
    return bool(document.get(flag) or document.get(f"{flag}_input")) or (isinstance(listed, list) and word in listed)
