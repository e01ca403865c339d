"""Records that no emitter of ours would send: each breaks the contract in another way, and becomes a dead letter."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

STRUCTURED = "application/cloudevents+json"
ARROW = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True, slots=True)
class Broken:
    """A record as it goes to Kafka, and the reason under which it must come out."""

    reason: str
    key: bytes
    value: bytes | None
    content_type: str = STRUCTURED


def broken_records(sound: dict[str, Any], now: datetime) -> list[Broken]:
    """One record of each kind, made from a sound event (which stays as it is)."""
    key = sound["subject"].encode()
    data = sound["data"]
    usage = data["usage"]
    wrong: dict[str, dict[str, Any]] = {
        "unknown_version": {"type": "ai.usage.v9"},
        "missing_field": {"data": {name: value for name, value in data.items() if name != "tenant"}},
        "naive_time": {"time": sound["time"].removesuffix("Z")},
        "future_time": {"time": (now + timedelta(hours=2)).isoformat()},
        "too_late": {"time": (now - timedelta(days=40)).isoformat()},
        "subject_mismatch": {"subject": "somebody/else"},
        "unknown_meter": {"data": {**data, "usage": {**usage, "good_vibes": 3}}},
        "quantity_negative": {"data": {**data, "usage": {**usage, "input_tokens": -5}}},
        "quantity_too_precise": {"data": {**data, "usage": {**usage, "input_tokens": "0.1234567"}}},
    }
    records = [
        Broken(reason, key, json.dumps({**sound, "id": f"broken-{reason}", **change}).encode())
        for reason, change in wrong.items()
    ]
    text = json.dumps({**sound, "id": "broken-bytes"}).encode()
    return [
        *records,
        Broken("null_value", key, None),
        Broken("invalid_utf8", key, text.replace(b"broken", b"br\xff\xfeken")),
        Broken("not_json", key, text[: len(text) // 2]),
        Broken("not_cloudevents", key, json.dumps(usage).encode()),
        Broken("key_mismatch", b"somebody/else", text),
        Broken("batch_unreadable", key, b"\xff\xff\xff\xff\x00\x01cut off", ARROW),
    ]
