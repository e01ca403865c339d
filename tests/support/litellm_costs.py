"""What litellm's own cost function says of usage: run as a process of its own, so that litellm stays out of the tests.

The first file is a JSON list of [key of the map, mode, usage by our meters, time of billing, region of an uplift]; the
second becomes a list of [prompt cost, completion cost] as text of the doubles (`repr`), or of [the error]. Nothing is
fetched: the map is the one in the package, and the process cannot open a connection.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"


def _refuse(*arguments: object, **named: object) -> None:
    raise OSError("no connections here")


socket.socket.connect = _refuse  # type: ignore[method-assign]

import litellm  # noqa: E402
from litellm import _internal_context  # noqa: E402
from litellm.cost_calculator import batch_cost_calculator  # noqa: E402
from litellm.litellm_core_utils.llm_cost_calc.utils import (  # noqa: E402
    generic_cost_per_token,
    get_provider_specific_geo_multiplier,
)
from litellm.types.utils import (  # noqa: E402
    CacheCreationTokenDetails,
    CompletionTokensDetailsWrapper,
    PromptTokensDetailsWrapper,
    Usage,
)

CACHED = (
    "cached_input_tokens",
    "explicit_cached_input_tokens",
    "cached_audio_input_tokens",
    "cached_image_input_tokens",
)
WRITTEN = ("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_12h_tokens")
PROMPT = ("input_tokens", "embedding_tokens", "tool_use_input_tokens", *CACHED, *WRITTEN)
MODAL = ("audio_input_tokens", "image_input_tokens", "video_input_tokens")
COMPLETION = ("output_tokens", "reasoning_tokens", "audio_output_tokens", "image_output_tokens", "video_output_tokens")


def usage_of(meters: dict[str, int]) -> Usage:
    """litellm's overlapping counts of our disjoint ones."""

    def count(*names: str) -> int:
        return sum(meters.get(name, 0) for name in names)

    text_cached = count("cached_input_tokens", "explicit_cached_input_tokens")
    cached_details = {
        "text_tokens": text_cached,
        "audio_tokens": count("cached_audio_input_tokens"),
        "image_tokens": count("cached_image_input_tokens"),
    }
    modal_cached = cached_details["audio_tokens"] or cached_details["image_tokens"]
    details: dict[str, Any] = {
        "text_tokens": count("input_tokens", "embedding_tokens", "tool_use_input_tokens")
        + (text_cached if modal_cached else 0),
        "audio_tokens": count("audio_input_tokens", "cached_audio_input_tokens"),
        "image_tokens": count("image_input_tokens", "cached_image_input_tokens"),
        "video_tokens": count("video_input_tokens"),
        "cached_tokens": count(*CACHED),
    }
    if modal_cached:
        details["cached_tokens_details"] = cached_details
    if count(*WRITTEN):
        details["cache_creation_tokens"] = count(*WRITTEN)
        details["cache_creation_token_details"] = CacheCreationTokenDetails(
            ephemeral_5m_input_tokens=count("cache_write_5m_tokens"),
            ephemeral_1h_input_tokens=count("cache_write_1h_tokens"),
            ephemeral_12h_input_tokens=count("cache_write_12h_tokens"),
        )
    if count("explicit_cached_input_tokens"):
        details["cache_type"] = "ephemeral"
    prompt, completion = count(*PROMPT, *MODAL), count(*COMPLETION)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_tokens_details=PromptTokensDetailsWrapper(**details),
        completion_tokens_details=CompletionTokensDetailsWrapper(
            text_tokens=count("output_tokens"),
            reasoning_tokens=count("reasoning_tokens"),
            audio_tokens=count("audio_output_tokens"),
            image_tokens=count("image_output_tokens"),
            video_tokens=count("video_output_tokens"),
        ),
    )


def as_called(key: str, mode: str, usage: Usage, uplift: str) -> tuple[float, float]:
    """By litellm's own dispatch, as a gateway calls it: with the name of the model and its provider."""
    entry = litellm.model_cost[key]
    batch = mode == "batch"
    call_type = "aretrieve_batch" if batch else "embedding" if entry.get("mode") == "embedding" else "completion"
    costs: tuple[float, float] = litellm.cost_per_token(
        model=key,
        custom_llm_provider=provider_of(entry),
        usage_object=usage,
        call_type=call_type,
        service_tier=mode if mode in {"flex", "priority"} else None,
        data_residency=uplift or None,
        vertex_location=uplift or None,
    )
    return costs


def of_the_entry(key: str, mode: str, usage: Usage, uplift: str) -> tuple[float, float]:
    """By litellm's arithmetic alone, with the prices of exactly this entry."""
    entry = litellm.model_cost[key]
    where: dict[str, Any] = {"data_residency": uplift or None, "vertex_location": uplift or None}
    if mode == "batch":
        costs = batch_cost_calculator(usage, key, provider_of(entry), model_info=entry, **where)
    else:
        tier = mode if mode in {"flex", "priority"} else None
        costs = generic_cost_per_token(key, usage, provider_of(entry), service_tier=tier, model_info=entry, **where)
    factor = get_provider_specific_geo_multiplier(entry, usage)
    return costs[0] * factor, costs[1] * factor


def provider_of(entry: dict[str, Any]) -> str:
    """The provider as a request names it."""
    provider = str(entry["litellm_provider"])
    families = ("vertex_ai", "bedrock", "fireworks_ai")
    return next((f for f in families if provider.startswith(f) and provider != "bedrock_mantle"), provider)


def cost(how: Any, key: str, mode: str, meters: dict[str, int], time: str, uplift: str) -> list[str]:
    """[prompt, completion], or [error]."""
    usage = usage_of(meters)
    if len(uplift) == 2:
        usage.inference_geo = uplift  # litellm reads it and does not declare it
    token = _internal_context._billing_time.set(datetime.fromisoformat(time))
    try:
        return [repr(each) for each in how(key, mode, usage, uplift)]
    except Exception as error:  # whatever a case comes to is told to whoever asked
        return [f"{type(error).__name__}: {error}"[:200]]
    finally:
        _internal_context._billing_time.reset(token)


if __name__ == "__main__":
    cases = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    how = {"as_called": as_called, "of_the_entry": of_the_entry}[sys.argv[3]]
    Path(sys.argv[2]).write_text(json.dumps([cost(how, *case) for case in cases]), encoding="utf-8")
