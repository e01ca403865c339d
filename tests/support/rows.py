"""Rows for sinks, a few fields at a time: what a test does not name has a harmless value.

`totals_of` and `checkpoint_of` add up ledger rows in plain Python, sharing no code with what is tested.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from sinks import tables

WINDOW = datetime(2026, 1, 15, 10, tzinfo=UTC)
Row = dict[str, Any]
NULL_AMOUNTS = dict.fromkeys(("base_cost", *tables.AMOUNTS))


def identity(source: str, event_id: str) -> tuple[int, int]:
    """Some 128-bit hash of a pair, in two words; the sinks do not care which."""
    digest = hashlib.sha256(repr((source, event_id)).encode()).digest()
    return int.from_bytes(digest[:8]), int.from_bytes(digest[8:16])


def identities(*ids: str, source: str = "gateway-1") -> np.ndarray:
    """(n, 2) identities of events of one source."""
    return np.array([identity(source, one) for one in ids], dtype=np.uint64).reshape(-1, 2)


def ledger_row(offset: int, **given: Any) -> Row:
    """A rated usage event at (epoch 1, partition 0, offset, 0): charge 1.00 = 0.49 + 0.21 + 0.30."""
    row: Row = {field.name: _harmless(field.type) for field in tables.LEDGER}
    row |= {
        "builder": "acme",
        "tenant": "north",
        "window_start": WINDOW,
        "topic_epoch": 1,
        "source_offset": offset,
        "kind": "usage",
        "pricing": "rated",
        "event_time": WINDOW + timedelta(minutes=5),
        "record_time": WINDOW + timedelta(minutes=6),
        "source": "gateway-1",
        "id": f"e{offset}",
        "feature": "chat",
        "provider": "openai",
        "model": "gpt-a",
        "mode": "standard",
        "usage": {"input_tokens": Decimal(100), "requests": Decimal(1)},
        "rule_id": "markup-43",
        "currency": "USD",
        "base_cost": Decimal("0.70"),
        "customer_charge": Decimal("1.00"),
        "provider_reward": Decimal("0.49"),
        "platform_fee": Decimal("0.21"),
        "builder_earnings": Decimal("0.30"),
    }
    row |= given
    row["identity_high"], row["identity_low"] = identity(row["source"], row["id"])
    if "target" in given:
        row["target_high"], row["target_low"] = identity(row["source"], row.pop("target"))
    row.setdefault("payload_hash", 7)
    return row


def void_row(offset: int, target: Mapping[str, Any], **given: Any) -> Row:
    """A void of `target`: its tags and window, its amounts and usage with the opposite sign."""
    mirrored = {name: None if target[name] is None else -target[name] for name in ("base_cost", *tables.AMOUNTS)}
    usage = {meter: -quantity for meter, quantity in target["usage"].items()}
    own = {"kind": "void", "id": f"v{offset}", "target": target["id"], "usage": usage, **mirrored}
    skip = ("source_offset", "identity_high", "identity_low", "target_high", "target_low")
    return ledger_row(offset, **({k: v for k, v in target.items() if k not in skip} | own | given))


def dead_letter_row(offset: int, **given: Any) -> Row:
    """A dead letter at (epoch 1, partition 0, offset, 0)."""
    row: Row = {field.name: _harmless(field.type) for field in tables.DEAD_LETTERS}
    row |= {
        "topic_epoch": 1,
        "source_offset": offset,
        "record_time": WINDOW + timedelta(minutes=6),
        "reason": "not_json",
        "detail": "The value is not JSON (byte 0).",
        "record_key": b"acme/north",
        "record_value": b"\xff\x00not json",
        "record_headers": "[]",
    }
    return row | given


def totals_of(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Totals of ledger rows, key by key."""
    key = (*tables.TOTALS_KEY, "topic_epoch", "source_partition")
    totals: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        total = totals.setdefault(
            tuple(row[name] for name in key),
            {name: row[name] for name in key}
            | {"last_offset": -1, "ledger_rows": 0, "net_events": 0, "unpriced_events": 0, "usage": {}}
            | dict.fromkeys(tables.AMOUNTS, Decimal(0)),
        )
        net = {"usage": 1, "void": -1, "adjustment": 0}[row["kind"]]
        total["last_offset"] = max(total["last_offset"], row["source_offset"])
        total["ledger_rows"] += 1
        total["net_events"] += net
        total["unpriced_events"] += {"unpriced": net, "rated_later": -1}.get(row["pricing"], 0)
        for meter, quantity in row["usage"].items():
            total["usage"][meter] = total["usage"].get(meter, Decimal(0)) + quantity
        for name in tables.AMOUNTS:
            total[name] += row[name] or 0
    return list(totals.values())


def checkpoint_row(next_offset: int, **given: Any) -> Row:
    """A checkpoint of (epoch 1, partition 0): one accepted event per offset unless told otherwise."""
    row: Row = {field.name: _harmless(field.type) for field in tables.CHECKPOINTS}
    row |= {
        "topic_epoch": 1,
        "next_offset": next_offset,
        "events": next_offset,
        "accepted": next_offset,
        "max_record_time": WINDOW,
        "worker": "w1",
    }
    return row | given


def ledger(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as the meter hands them over, sorted by the ledger's key."""
    key = ("builder", "tenant", "window_start", "topic_epoch", "source_partition", "source_offset", "batch_index")
    return _table(sorted(rows, key=lambda row: tuple(row[name] for name in key)), tables.LEDGER)


def totals(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return _table(rows, tables.TOTALS)


def dead_letters(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return _table(rows, tables.DEAD_LETTERS)


def checkpoints(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return _table(rows, tables.CHECKPOINTS)


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    flat = [
        {name: list(value.items()) if isinstance(value, dict) else value for name, value in row.items()} for row in rows
    ]
    return pa.Table.from_pylist(flat, schema=schema)


def _harmless(arrow: pa.DataType) -> Any:
    if pt.is_timestamp(arrow):
        return WINDOW
    if pt.is_integer(arrow):
        return 0
    if pt.is_map(arrow):
        return {}
    if pt.is_decimal(arrow):
        return None
    return b"" if pt.is_binary(arrow) else ""
