"""The keys of litellm's map, taken apart: provider, region, the size and quality of a picture, and the model as served.

`azure/eu/gpt-5` is model gpt-5 of azure in region eu; `hd/1024-x-1792/dall-e-3` is dall-e-3 of openai, its pictures of
that size and quality; `gemini-2.5-pro` of `vertex_ai-language-models` is gemini-2.5-pro of vertex_ai. Everything else
of a key is the served name: `accounts/fireworks/models/x`, `us.anthropic.claude-x`, `meta-llama/x` are names of models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# What litellm calls a provider, where the provider has another name or several.
PROVIDERS = {
    "amazon-nova": "amazon_nova",
    "azure_text": "azure",
    "bedrock_converse": "bedrock",
    "cohere_chat": "cohere",
    "fireworks_ai-embedding-models": "fireworks_ai",
    "text-completion-codestral": "codestral",
    "text-completion-inception": "inception",
    "text-completion-openai": "openai",
}
AZURE_REGIONS = frozenset({"us", "eu", "apac", "us-gov", "global", "global-standard"})
AWS_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
QUALITIES = frozenset({"standard", "hd", "low", "medium", "high", "xhigh", "max"})
SIZE = re.compile(r"(\d+)-x-(\d+)|max-x-max")
STEPS = re.compile(r"(\d+|max)-steps")


@dataclass(frozen=True, slots=True)
class Key:
    """A key, taken apart."""

    raw: str
    provider: str
    model: str
    region: str = ""
    quality: str = ""  # "hd", "50_steps"
    size: tuple[int, int] | None = None  # width and height in pixels; None without, or where it is the largest
    largest: bool = False

    @property
    def variant(self) -> str:
        """`_hd_1024x1792`, what follows `generated_images`; "" for pictures of any kind."""
        size = "max" if self.largest else f"{self.size[0]}x{self.size[1]}" if self.size else ""
        return "".join(f"_{part}" for part in (self.quality, size) if part)


def provider_of(litellm_provider: str) -> str:
    """The provider's name in events."""
    if litellm_provider.startswith("vertex_ai-"):
        return "vertex_ai"
    return PROVIDERS.get(litellm_provider, litellm_provider)


def parse_key(raw: str, litellm_provider: str) -> Key:
    """Take a key apart."""
    provider = provider_of(litellm_provider)
    prefixes = {provider, litellm_provider, *(name for name, meant in PROVIDERS.items() if meant == provider)}
    parts = _without_prefix(raw.split("/"), prefixes)
    quality, size = "", None
    if len(parts) > 2 and parts[0] in QUALITIES and SIZE.fullmatch(parts[1]):
        quality, size, parts = parts[0], parts[1], parts[2:]
    elif len(parts) > 1 and SIZE.fullmatch(parts[0]):
        size, parts = parts[0], parts[1:]
        if len(parts) > 1 and STEPS.fullmatch(parts[0]):
            quality, parts = parts[0].replace("-", "_"), parts[1:]
        parts = _without_prefix(parts, prefixes)
    region = ""
    if len(parts) > 1 and _is_region(provider, parts[0]):
        region, parts = parts[0].replace("*", ""), parts[1:]
    measured = SIZE.fullmatch(size) if size else None
    pixels = (int(measured[1]), int(measured[2])) if measured and measured[1] else None
    return Key(raw, provider, "/".join(parts), region, quality, pixels, largest=bool(measured) and pixels is None)


def _without_prefix(parts: list[str], prefixes: set[str]) -> list[str]:
    return parts[1:] if len(parts) > 1 and parts[0] in prefixes else parts


def _is_region(provider: str, part: str) -> bool:
    if provider == "azure":
        return part in AZURE_REGIONS
    return provider in {"bedrock", "bedrock_mantle"} and (part == "*" or bool(AWS_REGION.fullmatch(part)))
