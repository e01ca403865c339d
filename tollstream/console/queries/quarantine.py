"""What is not billed: usage that waits for a price, and dead letters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import text
from sinks.clickhouse.readers.journals import to_rows
from sinks.tables import DEAD_LETTERS

REASONS_MAX, BYTES_SHOWN = 100, 65_536
_PLACE = ("topic_epoch", "source_partition", "source_offset", "batch_index")


@dataclass(frozen=True, slots=True)
class Waiting:
    """Usage of one kind that waits for a price."""

    builder: str
    reason: str
    provider: str
    model: str
    mode: str
    region: str
    events: int
    tenants: int
    tenant: str  # one of them
    since: datetime
    last: datetime
    usage: dict[str, Decimal]


def waiting(client: Client, builder: str, limit: int, skip: int) -> list[Waiting]:
    """The most events first."""
    keys = "builder, unpriced_reason, provider, model, mode, region"
    named = ", ".join(f"toString(w.{name}) AS {name}" for name in keys.split(", "))
    sql = f"""
        SELECT {named}, toInt64(sum(w.net_events)) AS events, toInt64(uniq(w.tenant)) AS tenants,
            toString(min(w.tenant)) AS tenant, min(w.first_event_time) AS since, max(w.last_event_time) AS last,
            sumMap(w.usage) AS quantities
        FROM {client.configuration.database}.unpriced_usage AS w
        {f"WHERE w.builder = {text(builder)}" if builder else ""}
        GROUP BY {keys} ORDER BY events DESC, {keys} LIMIT {int(limit)} OFFSET {int(skip)}
    """
    return [
        Waiting(
            row["builder"], row["unpriced_reason"], row["provider"], row["model"], row["mode"], row["region"],
            row["events"], row["tenants"], row["tenant"], row["since"], row["last"],
            {meter: value for meter, value in sorted(dict(row["quantities"]).items()) if value},
        )
        for row in client.query_rows(sql, doing="reading what waits for a price")
    ]  # fmt: skip


def letter_reasons(client: Client) -> list[dict[str, Any]]:
    """reason, letters, since, last, over all epochs."""
    sql = f"""
        SELECT toString(reason) AS reason, toInt64(count()) AS letters, min(record_time) AS since,
            max(record_time) AS last
        FROM {client.configuration.database}.dead_letters FINAL
        GROUP BY reason ORDER BY letters DESC, reason LIMIT {REASONS_MAX}
    """
    return client.query_rows(sql, doing="counting dead letters")


def letters(client: Client, reason: str, limit: int, skip: int) -> list[dict[str, Any]]:
    """Place, time, reason, sentence and key, the newest first; no payloads."""
    sql = f"""
        SELECT {", ".join(_PLACE)}, record_time, toString(reason) AS reason, detail,
            toValidUTF8(substring(ifNull(record_key, ''), 1, 200)) AS key
        FROM {client.configuration.database}.dead_letters FINAL
        {f"WHERE reason = {text(reason)}" if reason else ""}
        ORDER BY record_time DESC, {", ".join(f"{name} DESC" for name in _PLACE)}
        LIMIT {int(limit)} OFFSET {int(skip)}
    """
    return client.query_rows(sql, doing="listing dead letters")


def letter(client: Client, epoch: int, partition: int, offset: int, index: int) -> dict[str, Any] | None:
    """One, with the beginning of its payload, byte for byte."""
    place = zip(_PLACE, (epoch, partition, offset, index), strict=True)
    sql = f"""
        SELECT {", ".join(_PLACE)}, record_time, toString(reason) AS reason, detail,
            base64Encode(substring(ifNull(record_key, ''), 1, {BYTES_SHOWN})) AS key,
            base64Encode(substring(ifNull(record_value, ''), 1, {BYTES_SHOWN})) AS value,
            toInt64(length(ifNull(record_value, ''))) AS bytes, isNull(record_value) AS no_value,
            substring(record_headers, 1, {BYTES_SHOWN}) AS headers
        FROM {client.configuration.database}.dead_letters FINAL
        WHERE {" AND ".join(f"{name} = {int(value)}" for name, value in place)} LIMIT 1
    """
    rows = to_rows(client.query_arrow(sql, doing="reading a dead letter"), DEAD_LETTERS)
    return rows[0] if rows else None
