"""The day that docs/explain.md asks about: the golden events, stored as a worker would have, with published books."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sinks.contract import Sink
from sinks.publishing import publish
from tests.golden.explanation.pages import NOON, adjustment, billed, digests, void
from tests.support import rows
from tests.support.rows import Row
from topics.encodings import columnar
from topics.events import UsageEvent
from topics.identity import identity_words


def stored(row: Row, target: Row | None = None) -> Row:
    """The row with the identities that the meter gives it."""
    row = dict(row)
    row["identity_high"], row["identity_low"] = identity_words(row["source"], row["id"])
    if target is not None:
        row["target_high"], row["target_low"] = identity_words(target["source"], target["id"])
    return row


def a_day() -> list[Row]:
    """Ledger rows in log order, of one partition."""
    first = stored(billed(1, {"input_tokens": "1000", "output_tokens": "200", "requests": "1"}, feature="chat"))
    second = stored(billed(2, {"input_tokens": "300000", "output_tokens": "1500", "requests": "1"}, feature="chat"))
    pages = stored(billed(3, {"input_tokens": "1000", "pages": "20"}, feature="pages"))
    waiting = stored(billed(4, {"input_tokens": "1000", "output_tokens": "5"}, model="nw-new", feature="chat"))
    later = stored(billed(5, {"input_tokens": "7"}, time=NOON + timedelta(hours=1), feature="chat"))
    south = stored(billed(6, {"input_tokens": "1000"}, tenant="initech", feature="chat"))
    twin = stored(billed(7, {"input_tokens": "10"}, source="gateway/us-1", feature="chat") | {"id": "call-1"})
    lowered = adjustment(
        8, first, {"reward": "-0.00035", "fee": "-0.00015", "earnings": "-0.000125"}, "northwind lowered its price",
        pricing="rerated", price_version="2026-01-corrected", rule_version="rules-1", source="tollstream/rerate",
    )  # fmt: skip
    back = void(9, later, note="sent twice by the gateway")
    return [first, second, pages, waiting, later, south, twin, stored(lowered, first), stored(back, later)]


def letters() -> list[Row]:
    """What could not be billed: as JSON, with the id in a header, and what is no event at all."""
    unknown = {"reason": "unknown_meter", "record_key": b"acme/globex"}
    detail = "data.usage.output_tokenz is no meter of the catalogue; did you mean output_tokens?"
    binary = '[["ce_id", "Y2FsbC1oZWFkZXI="], ["ce_source", "Z2F0ZXdheS9ldS0x"], ["ce_type", "YWkudXNhZ2UudjE="]]'
    event = UsageEvent(
        id="call-24", source="gateway/eu-1", time=NOON, builder="acme", tenant="globex", usage={"pages": Decimal(1)}
    )  # fmt: skip
    batch = columnar.encode_batch([event])
    headers = [[name, base64.b64encode(value).decode()] for name, value in batch.headers]
    return [
        rows.dead_letter_row(
            24, record_value=batch.value, record_headers=json.dumps(headers), reason="too_late", detail="40 days old"
        ),
        rows.dead_letter_row(
            20, record_value=b'{"id": "call-20", "source": "gateway/eu-1", "data": {}}', detail=detail, **unknown
        ),
        rows.dead_letter_row(21, record_value=b"{}", record_headers=binary, detail=detail, **unknown),
        rows.dead_letter_row(22, record_value=b'{"id": "call-22"', reason="not_json", detail="The value is not JSON."),
        rows.dead_letter_row(
            23, record_value=b'{"id": "call-2", "source": "gateway/eu-1", "data": {"x": 1}}',
            reason="conflicting_duplicate", detail="the same id was accepted at offset 2 with other content",
        ),
    ]  # fmt: skip


async def seed(sink: Sink, ledger: Sequence[Row] | None = None, **changes: Any) -> None:
    """Publish the books, store the day."""
    ledger = a_day() if ledger is None else ledger
    for kind in ("prices", "rules"):
        books = [book for book in digests() if book.kind == kind]
        based_on = (await sink.read_book_records()).newest_place
        await publish(sink, books, based_on=based_on, published_by="ana", reason="the list of January")
    await sink.write_ledger(rows.ledger(ledger))
    await sink.write_dead_letters(rows.dead_letters(letters()))
    await sink.write_totals(rows.totals(rows.totals_of(ledger)))
    await sink.write_checkpoints(
        rows.checkpoints([rows.checkpoint_row(24, events=24, accepted=len(ledger), **changes)])
    )
