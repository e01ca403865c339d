"""What an event says, as a 64-bit hash: the same in every encoding, so that a copy can be told from a contradiction.

Covered  kind, time, every tag, every quantity, and a void's or adjustment's target, note, amounts and, where it has
         one, pricing. Not covered: id (that is identity) and traceparent (a retry may have another).
Form     mix(mix(tags + K1 * time) + content), all modulo 2^64. `tags` is blake2b of kind and tags as netstrings.
         `content` is, for usage, the sum over meters of mix(blake2b(meter) + K2 * millionths), which does not depend on
         their order; for the others blake2b of the canonical text as netstrings.
Why      Computed as columns it costs 0.1 µs an event, a hash of a text built per event 1.5. It only has to notice
         differences: whoever makes two of his own events collide has the second one counted as a copy of the first.
         The form is stored in every ledger row: changing it is a new topic epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

import numpy as np

from topics.block import DIMENSION_COLUMNS, Kind
from topics.events import AdjustmentEvent, AnyEvent, UsageEvent, VoidEvent
from topics.identity import netstring
from topics.quantities import plain_text, quantity_millionths
from topics.times import microseconds

_K1 = 0x9E3779B97F4A7C15
_K2 = 0xD6E8FEB86659FD93
_M1 = 0xBF58476D1CE4E5B9
_M2 = 0x94D049BB133111EB
_MASK = 0xFFFFFFFFFFFFFFFF


def digest64(text: bytes) -> int:
    """blake2b with 8 bytes, as an unsigned integer."""
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def tags_digest(kind: Kind, tags: Sequence[str]) -> int:
    """Hash of kind and tags, the tags in the order of `DIMENSION_COLUMNS`."""
    return digest64(b"%d:" % int(kind) + b"".join(map(netstring, tags)))


def meter_digest(meter: str) -> int:
    """Hash of a meter's name."""
    return digest64(meter.encode())


def target_digest(target_source: str, target_id: str, note: str, more: Sequence[str] = ()) -> int:
    """Hash of what a void or an adjustment says: target, note, and `more`, of an adjustment its amounts as plain
    decimals and the four texts of its pricing, if it has one."""
    return digest64(b"".join(map(netstring, (target_source, target_id, note, *more))))


def payload_hash(event: AnyEvent) -> int:
    """The payload hash of one event; plain integers, the reference for `payload_hashes`."""
    time = microseconds(event.time)
    return _mix(_mix(tags_digest(kind_of(event), tags_of(event)) + _K1 * time) + _content(event))


def payload_hashes(tags: np.ndarray, times: np.ndarray, content: np.ndarray) -> np.ndarray:
    """(n,) uint64 from the tags' digests (uint64), times (int64 microseconds) and contents (uint64)."""
    mixed: np.ndarray = _mix_columns(_mix_columns(tags + np.uint64(_K1) * times.astype(np.uint64)) + content)
    return mixed


def usage_contents(quantities: Iterable[tuple[str, np.ndarray]], height: int) -> np.ndarray:
    """(n,) uint64 contents of usage events from (meter, int64 millionths with -1 for absent) columns."""
    content = np.zeros(height, dtype=np.uint64)
    for meter, column in quantities:
        word = np.uint64(meter_digest(meter)) + np.uint64(_K2) * column.astype(np.uint64)
        content += np.where(column >= 0, _mix_columns(word), np.uint64(0))
    return content


def kind_of(event: AnyEvent) -> Kind:
    """The `Kind` of an event."""
    return {UsageEvent: Kind.USAGE, VoidEvent: Kind.VOID, AdjustmentEvent: Kind.ADJUSTMENT}[type(event)]


def tags_of(event: AnyEvent) -> tuple[str, ...]:
    """The tags in the order of `DIMENSION_COLUMNS`; a void or an adjustment has only source, builder and tenant."""
    return tuple(str(getattr(event, name, "")) for name in DIMENSION_COLUMNS)


def usage_of(event: UsageEvent) -> Mapping[str, int]:
    """Meter to millionths."""
    return {meter: quantity_millionths(quantity) for meter, quantity in event.usage.items()}


def amounts_text(event: AdjustmentEvent) -> tuple[str, str, str, str]:
    """The adjustment's amounts as they are hashed."""
    amounts = event.amounts
    return (
        plain_text(amounts.customer_charge),
        plain_text(amounts.provider_reward),
        plain_text(amounts.platform_fee),
        plain_text(amounts.builder_earnings),
    )


def pricing_text(event: AdjustmentEvent) -> tuple[str, ...]:
    """The adjustment's pricing as it is hashed: nothing where it has none, as before there was any."""
    pricing = event.pricing
    if pricing is None:
        return ()
    return (pricing.price_version, pricing.rule_version, pricing.rule_id, pricing.currency)


def content_of(event: VoidEvent | AdjustmentEvent) -> int:
    """The content hash of an event about another event."""
    more = (*amounts_text(event), *pricing_text(event)) if isinstance(event, AdjustmentEvent) else ()
    return target_digest(event.target_source, event.target_id, event.reason, more)


def _content(event: AnyEvent) -> int:
    if not isinstance(event, UsageEvent):
        return content_of(event)
    return sum(_mix(meter_digest(meter) + _K2 * quantity) for meter, quantity in usage_of(event).items())


def _mix(word: int) -> int:
    """splitmix64's finalizer: every input bit moves every output bit."""
    word &= _MASK
    word = (word ^ (word >> 30)) * _M1 & _MASK
    word = (word ^ (word >> 27)) * _M2 & _MASK
    return word ^ (word >> 31)


def _mix_columns(word: np.ndarray) -> np.ndarray:
    word = (word ^ (word >> np.uint64(30))) * np.uint64(_M1)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(_M2)
    mixed: np.ndarray = word ^ (word >> np.uint64(31))
    return mixed
