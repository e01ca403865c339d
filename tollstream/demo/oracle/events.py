"""The oracle's own reading of an event: JSON text in, an event or the reason why it cannot be billed out.

It follows the written contract (docs: the event, and the reasons in their order of precedence), not the decoders: plain
`json` and `decimal`, one check after the other, slow and easy to read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from tollstream.demo.oracle.published import STRUCTURED, Published

ARROW = "application/vnd.apache.arrow.stream"
KINDS = {"ai.usage.v1": "usage", "ai.usage.void.v1": "void", "ai.usage.adjustment.v1": "adjustment"}
TAGS = (
    *("builder", "tenant", "workspace", "deployment", "feature", "workflow", "action", "business_unit", "outcome"),
    *("provider", "model", "requested_model", "mode", "route", "region", "status", "usage_source"),
)
CHOICES = {  # the first is the default
    "mode": ("standard", "batch", "flex", "priority"),
    "route": ("primary", "fallback"),
    "status": ("completed", "aborted", "failed"),
    "usage_source": ("provider", "estimated"),
}
PRICING = ("price_version", "rule_version", "rule_id", "currency")
REQUIRED = ("source", "id", "time", "subject", "builder", "tenant", "target_source", "target_id", *PRICING)
AMOUNTS = ("customer_charge", "provider_reward", "platform_fee", "builder_earnings")
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
CURRENCY = re.compile(r"[A-Z]{3}")
TEXT_BYTES_MAX = 256
QUANTITY_MAX = Decimal(10) ** 12
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Event:
    """A well-formed event; two with equal content are equal, whatever they looked like on the wire."""

    kind: str  # usage | void | adjustment
    source: str
    id: str
    time: int  # microseconds since 1970; finer digits are cut off
    tags: tuple[tuple[str, str], ...]
    usage: tuple[tuple[str, Decimal], ...]  # sorted by meter
    target: tuple[str, str] | None  # (source, id) that a void or an adjustment names
    amounts: tuple[Decimal, ...]  # of an adjustment, in the order of AMOUNTS
    note: str
    pricing: tuple[str, ...] = ()  # of a re-rating, in the order of PRICING

    def tag(self, name: str) -> str:
        return dict(self.tags)[name]


class BrokenError(Exception):
    """Not billable; `reason` is the code that its dead letter must carry."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def read_event(published: Published, meters: Collection[str]) -> Event:
    """The event at this place of the log. Raises BrokenError."""
    envelope = _envelope(published)
    kind = KINDS.get(envelope["type"])
    if kind is None:
        raise BrokenError("unknown_version" if envelope["type"].startswith("ai.usage.") else "unknown_type")
    data = envelope.get("data")
    if data is None:
        raise BrokenError("missing_field")
    if not isinstance(data, dict):
        raise BrokenError("wrong_field_type")
    source, identifier = _text(envelope, "source"), _text(envelope, "id")
    try:
        tags = _tags(tuple(map(data.get, TAGS)))
    except TypeError:  # a list or an object cannot be looked up
        raise BrokenError("wrong_field_type") from None
    builder, tenant = tags[0][1], tags[1][1]
    moment = _time(_text(envelope, "time"))
    subject = f"{builder}/{tenant}"
    if _text(envelope, "subject") != subject:
        raise BrokenError("subject_mismatch")
    if published.key != subject and not (published.key is None and published.content_type == ARROW):
        raise BrokenError("key_mismatch")
    target = None if kind == "usage" else (_text(data, "target_source"), _text(data, "target_id"))
    return Event(
        kind=kind,
        source=source,
        id=identifier,
        time=moment,
        tags=tags,
        usage=_usage(data, meters) if kind == "usage" else (),
        target=target,
        amounts=_amounts(data) if kind == "adjustment" else (),
        note=str(data.get("reason") or ""),
        pricing=_pricing(data) if kind == "adjustment" else (),
    )


def _envelope(published: Published) -> dict[str, Any]:
    if published.value is None:
        raise BrokenError("null_value")
    if published.content_type not in (STRUCTURED, ARROW):
        raise BrokenError("unknown_content_type")
    try:
        published.value.encode()
    except UnicodeEncodeError:
        raise BrokenError("batch_unreadable" if published.content_type == ARROW else "invalid_utf8") from None
    try:
        envelope = _decoder.decode(published.value)
    except (ValueError, RecursionError):
        raise BrokenError("batch_unreadable" if published.content_type == ARROW else "not_json") from None
    if not isinstance(envelope, dict) or not isinstance(envelope.get("type"), str):
        raise BrokenError("not_cloudevents")
    if envelope.get("specversion") != "1.0":
        raise BrokenError("not_cloudevents")
    return envelope


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        raise BrokenError("missing_field")
    if not isinstance(value, str):
        raise BrokenError("wrong_field_type")
    if not value and name in REQUIRED:
        raise BrokenError("empty_field")
    if CONTROL_CHARACTER.search(value):
        raise BrokenError("control_character")
    if len(value.encode()) > TEXT_BYTES_MAX and name != "subject":
        raise BrokenError("field_too_long")
    return value


@lru_cache(maxsize=100_000)
def _tags(given: tuple[Any, ...]) -> tuple[tuple[str, str], ...]:
    """Name and value of every tag; most events have the tags of another one."""
    data = dict(zip(TAGS, given, strict=True))
    return tuple((name, _tag(data, name)) for name in TAGS)


def _tag(data: Mapping[str, Any], name: str) -> str:
    choices = CHOICES.get(name)
    if data.get(name) is None and name not in REQUIRED:
        return choices[0] if choices else ""
    tag = _text(data, name)
    if (choices and tag not in choices) or (name in ("builder", "tenant") and "/" in tag):
        raise BrokenError("invalid_value")
    return tag


def _time(text: str) -> int:
    match = TIME.fullmatch(text)
    if match is None:
        raise BrokenError("invalid_time")
    seconds, fraction, zone = match.groups()
    if zone is None:
        raise BrokenError("naive_time")
    try:
        moment = datetime.fromisoformat(seconds + zone.upper())
    except ValueError:
        raise BrokenError("invalid_time") from None
    return (moment - EPOCH) // timedelta(microseconds=1) + int((fraction or "").ljust(6, "0")[:6])


def _usage(data: Mapping[str, Any], meters: Collection[str]) -> tuple[tuple[str, Decimal], ...]:
    usage = data.get("usage")
    if usage is None:
        raise BrokenError("missing_field")
    if not isinstance(usage, dict):
        raise BrokenError("wrong_field_type")
    if not usage:
        raise BrokenError("no_usage")
    if any(meter not in meters for meter in usage):
        raise BrokenError("unknown_meter")
    return tuple(sorted((meter, _quantity(value)) for meter, value in usage.items()))


def _quantity(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise BrokenError("wrong_field_type")
    try:
        quantity = Decimal(value)
    except InvalidOperation:
        raise BrokenError("invalid_value") from None
    if not quantity.is_finite():
        raise BrokenError("quantity_not_finite")
    if quantity < 0:
        raise BrokenError("quantity_negative")
    if quantity > QUANTITY_MAX:
        raise BrokenError("quantity_too_large")
    if quantity != round(quantity, 6):
        raise BrokenError("quantity_too_precise")
    return quantity.normalize()


def _pricing(data: Mapping[str, Any]) -> tuple[str, ...]:
    pricing = data.get("pricing")
    if pricing is None:
        return ()
    if not isinstance(pricing, dict) or not pricing.keys() <= set(PRICING):
        raise BrokenError("wrong_field_type")
    texts = tuple(_text(pricing, name) for name in PRICING)
    if not CURRENCY.fullmatch(texts[-1]):
        raise BrokenError("invalid_value")
    return texts


def _amounts(data: Mapping[str, Any]) -> tuple[Decimal, ...]:
    amounts = data.get("amounts")
    if not isinstance(amounts, dict):
        raise BrokenError("missing_field" if amounts is None else "wrong_field_type")
    charge, reward, fee, earnings = (Decimal(_text(amounts, name)) for name in AMOUNTS)
    if charge != reward + fee + earnings:
        raise BrokenError("unbalanced_adjustment")
    return charge, reward, fee, earnings
