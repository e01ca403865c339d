"""A small world for the console: two Builders, five tenants, a closed month and one that runs, and all that went wrong.

Ledger rows are what the rater bills under the books below; October is closed by the real closing, so that every amount
can be clicked down to its events. Both Builders have a tenant called globex, and words that no other may see.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from billing.loading import parse_version
from billing.payouts import PayoutPolicy, payouts
from billing.periods import MONTHS, parse_period
from billing.plans import PlanBook
from billing.postings import Posting
from billing.prices import PriceBook, PriceBooks
from billing.published import record_of
from billing.rating import Rater
from billing.surcharges import RuleBook, RuleBooks
from sinks.agreements import PLANS, PlanRecord
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.contract import EpochParameters
from sinks.journals import EPOCH, Entry, Journal, append
from sinks.payouts import MARK_JOURNAL, NOTE_JOURNAL, PAYOUT_JOURNAL, NoteRecord, PayoutMark, PayoutRecord
from sinks.publishing import publish
from tests.support import rows
from tests.support.memory_log import MemoryLog
from tests.support.rating import DEFAULTS, frames
from tests.support.rows import Row
from tollstream.books import load_published
from tollstream.closing.checks import Accepted
from tollstream.closing.run import Installation, close
from tollstream.payouts.documents import payout_document
from topics.block import DIMENSION_COLUMNS
from topics.identity import identity_words

R = TypeVar("R", bound=Entry)
NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
OCTOBER = parse_period(MONTHS, "2026-10")
SOURCE = "gateway/eu-1"
TENANTS = (("quill", "globex"), ("quill", "initech"), ("quill", "umbra"), ("folio", "globex"), ("folio", "hooli"))
# Words of one party that another one must never read.
SECRETS = {
    "quill": ("quill-only", "initech", "umbra", "quill-summary"),
    "folio": ("folio-secret", "hooli", "folio-only"),
}
PRICES = """
version = "2026-10"
effective_from = 2026-01-01T00:00:00Z
currency = "USD"
[[prices]]
provider = "northwind"
model = "nw-large"
meters = { input_tokens = { price = "2.50", per = 1000000 }, output_tokens = { price = "10", per = 1000000 } }
provenance = { source = "northwind price list", key = "nw-large" }
[[prices]]
provider = "northwind"
model = "nw-small"
meters = { input_tokens = { price = "0.15", per = 1000000 }, output_tokens = { price = "0.60", per = 1000000 } }
[[prices]]
provider = "lumen"
model = "lumen-voice"
meters = { audio_input_seconds = "0.000123456789" }
"""
RULES = """
version = "rules-7"
effective_from = 2026-01-01T00:00:00Z
[[rules]]
id = "quill-other"
kind = "markup"
percent = "40"
match = { builder = "quill" }
label = "AI help"
unit = "request"
reason = "What the AI costs, and 40 % on top."
[[rules]]
id = "quill-summary"
kind = "unit_price"
amount = "0.02"
meter = "tasks"
match = { builder = "quill", feature = "summary" }
label = "Summaries"
unit = "task"
reason = "Every summary costs 2 cents, whatever the AI costs."
[[rules]]
id = "quill-only-umbra"
kind = "margin"
percent = "15"
match = { builder = "quill", tenant = "umbra", feature = "chat" }
label = "Chat, contract price"
unit = "request"
reason = "15 % of the price is our margin: the contract of umbra."
[[rules]]
id = "folio-other"
kind = "markup"
percent = "25"
match = { builder = "folio" }
label = "Archive search"
unit = "request"
reason = "What the AI costs, and 25 % on top."
[[rules]]
id = "folio-secret-hooli"
kind = "markup"
percent = "5"
match = { builder = "folio", tenant = "hooli" }
label = "Archive search, folio-only price"
unit = "request"
reason = "What the AI costs, and 5 % on top."
"""
PLAN = """
version = "2026-10"
effective_from = 2026-10-01T00:00:00Z
builder = "BUILDER"
currency = "USD"
default_plan = "pro"
taxes = [{ id = "vat", label = "VAT 21 %", rate = "0.21" }]
tenants = [{ tenant = "globex", plan = "pro", since = 2026-10-01, tax = "vat" }]
[[plans]]
id = "pro"
label = "Pro"
fee = "19"
units = [{ meter = "tasks", one = "task", many = "tasks" }]
cap = { amount = "400", then = "builder" }
[[plans.allowances]]
id = "summaries"
label = "Summaries included"
unit = "tasks"
quantity = "100"
"""


def books() -> tuple[PriceBook, RuleBook]:
    """As they are published."""
    return parse_version(PRICES, ".toml", "prices", PriceBook), parse_version(RULES, ".toml", "rules", RuleBook)


def usage() -> Iterator[tuple[datetime, dict[str, str], dict[str, Decimal]]]:
    """Two months, a few events a day, the same ones whenever they are asked for."""
    chance = random.Random(8)
    for number, (builder, tenant) in enumerate(TENANTS):
        day = datetime(2026, 10, 1, tzinfo=UTC)
        while day < NOW:
            for _ in range(chance.randint(1, 3)):
                feature, model = chance.choice((("chat", "nw-large"), ("summary", "nw-large"), ("search", "nw-small")))
                at = day + timedelta(hours=chance.randint(7, 18), seconds=chance.randint(0, 3599))
                size = chance.randint(4, 40) * (5 - number)
                found = {"input_tokens": Decimal(size * 9_000), "output_tokens": Decimal(size * 700)}
                if feature == "summary":
                    found["tasks"] = Decimal(size)
                if at < NOW:
                    yield at, _tags(builder, tenant, feature, model), found
            day += timedelta(days=1)


def _tags(builder: str, tenant: str, feature: str, model: str, provider: str = "northwind") -> dict[str, str]:
    empty = dict.fromkeys(DIMENSION_COLUMNS, "")
    own = {"builder": builder, "tenant": tenant, "feature": feature, "model": model, "provider": provider}
    return empty | DEFAULTS | own | {"source": SOURCE}


def ledger() -> list[Row]:
    """Rows in the order of the log, one partition."""
    happened = sorted(usage(), key=lambda each: each[0])
    at = datetime(2026, 11, 12, 9, 30, tzinfo=UTC)
    happened.append((at, _tags("quill", "globex", "chat", "nw-next"), {"input_tokens": Decimal(52_000)}))
    happened.append((at, _tags("folio", "hooli", "voice", "hx-1", "helios"), {"audio_input_seconds": Decimal("12.5")}))
    happened.append((at, _tags("folio", "hooli", "", "lumen-voice", "lumen"), {"audio_input_seconds": Decimal("0.5")}))
    return _rows(happened, 1)


def _row(offset: int, at: datetime, tags: dict[str, str], quantities: dict[str, Decimal]) -> Row:
    return _rows([(at, tags, quantities)], offset)[0]


def _rows(happened: list[tuple[datetime, dict[str, str], dict[str, Decimal]]], first: int) -> list[Row]:
    prices, rules = books()
    rated = Rater(PriceBooks([prices]), RuleBooks([rules])).rate(*frames(happened)).to_dicts()
    made = []
    for offset, ((at, tags, quantities), amounts) in enumerate(zip(happened, rated, strict=True), first):
        times = {"event_time": at, "record_time": at + timedelta(seconds=2)}
        start = at.replace(minute=0, second=0, microsecond=0)
        known = rows.ledger_row(offset, id=f"call-{offset}", **times)
        row = rows.ledger_row(offset, **known | tags | amounts | {"usage": quantities, "window_start": start})
        row["identity_high"], row["identity_low"] = identity_words(SOURCE, row["id"])
        made.append(row)
    return made


def corrections(usage_rows: list[Row]) -> list[Row]:
    """After October was closed: one of its events is taken back, and one arrives late."""
    offset = len(usage_rows) + 1
    target = next(row for row in usage_rows if (row["builder"], row["tenant"]) == ("quill", "umbra"))
    later = {"event_time": NOW - timedelta(days=3), "record_time": NOW - timedelta(days=3)}
    back = rows.void_row(offset, target, id=f"void-{offset}", note="sent twice by the gateway", **later)
    back["identity_high"], back["identity_low"] = identity_words(back["source"], back["id"])
    back["target_high"], back["target_low"] = target["identity_high"], target["identity_low"]
    tags = _tags("quill", "umbra", "search", "nw-small")
    late = _row(offset + 1, datetime(2026, 10, 30, 12, 1, tzinfo=UTC), tags, {"input_tokens": Decimal(900_000)})
    return [back, late | {"record_time": NOW - timedelta(days=2)}]


def letters(first: int) -> list[Row]:
    """What could not be billed, and payloads that mean no good."""
    hostile = '{"id": "call-x", "note": "<script>alert(1)</script> \u202etxet\u202c ' + "long " * 60 + '"}'
    kinds: list[tuple[str, str, bytes | None]] = [
        ("unknown_meter", "data.usage.output_tokenz is no meter; did you mean output_tokens?", hostile.encode()),
        ("not_json", "The value is not JSON (byte 0).", b"\xff\xfe\x00binary <b>"),
        ("too_late", "The event is 40 days older than its record.", b'{"id": "call-late", "folio-secret": 1}'),
        ("no_value", "The record has no value.", None),
    ]
    header = [["content-type", base64.b64encode(b"application/cloudevents+json").decode()], ["x", None]]
    return [
        rows.dead_letter_row(
            first + number, reason=reason, detail=detail, record_value=value, record_key=b"folio/hooli",
            record_headers=json.dumps(header), record_time=NOW - timedelta(hours=number),
        )
        for number, (reason, detail, value) in enumerate(kinds * 3)
    ]  # fmt: skip


async def build(configuration: ClickHouseConfiguration) -> None:
    """All of it, into a store that has its schema."""
    client = Client.connect(configuration)
    sink, store = ClickHouseSink(client), ClickHouseStatementStore(client)
    try:
        await sink.pin_epoch(EpochParameters(1, "usage.raw", 1, 3600, 3_024_000, 300))
        for book in books():
            based_on = (await sink.read_book_records()).newest_place
            await publish(sink, [record_of(book)], based_on=based_on, published_by="ana", reason="folio-secret deal")
        for builder in ("quill", "folio"):
            content = PLAN.replace("BUILDER", builder)
            plans = parse_version(content, ".toml", "plans", PlanBook)
            known = plans.version, plans.effective_from, plans.digest, plans.content
            record = PlanRecord(builder, *known, "ana", "the first plans")
            await _record(store, PLANS, builder, record)
        stored = ledger()
        await _write(sink, stored)
        await _close(sink, store, len(stored) + 1)
        await _write(sink, [*stored, *corrections(stored)])
        await sink.write_dead_letters(rows.dead_letters(letters(5000)))
        for builder in ("quill", "folio"):
            await _pay(store, builder)
        await _note(store)
    finally:
        client.close()


async def _record(store: ClickHouseStatementStore, journal: Journal[R], builder: str, *entries: R) -> None:
    """At one place, as they are decided together."""
    await append(store, journal, {"builder": builder}, lambda _: entries)


async def _write(sink: ClickHouseSink, stored: list[Row]) -> None:
    await sink.write_ledger(rows.ledger(stored))
    await sink.write_totals(rows.totals(rows.totals_of(stored)))
    await sink.write_checkpoints(rows.checkpoints([rows.checkpoint_row(len(stored) + 1, max_record_time=NOW)]))


async def _close(sink: ClickHouseSink, store: ClickHouseStatementStore, end: int) -> None:
    _, rules = await load_published(sink)
    for builder in ("quill", "folio"):
        installation = Installation(store, rules, MemoryLog(lambda: {(1, 0): end}), 3600)
        await close(installation, builder, "2026-10", Accepted(frozenset(), "ana", "month end"))


async def _pay(store: ClickHouseStatementStore, builder: str) -> None:
    """A payout of October; quill's was paid. And two rewards, which are of no Builder and decided together."""
    posted = [
        Posting(each.account, each.party, each.currency, each.refers_to, each.amount)
        for each in await store.read_posted(builder)
    ]
    policy = PayoutPolicy({"USD": Decimal(5)}, 14)
    [made] = payouts(builder, OCTOBER, posted, policy)
    number = f"{builder}-P-000001"
    document = payout_document(number, made, OCTOBER, "", policy, 3)
    record = PayoutRecord(
        builder, number, "payout", builder, "2026-10", OCTOBER.start, "USD", made.amount, made.carried, made.due_at,
        document, "ana", "monthly",
    )  # fmt: skip
    await _record(store, PAYOUT_JOURNAL, builder, record)
    if builder != "quill":
        return
    mark = PayoutMark(builder, number, "BANK-77", NOW - timedelta(days=2), "ana", "the bank says so")
    await _record(store, MARK_JOURNAL, builder, mark)
    lines = [{"builder": "quill", "refers_to": "usage", "exact": "41.25", "amount": "41.25"}]
    reward = replace(
        record, builder="", payout_id="R-000001", kind="reward", party="northwind", amount=Decimal("41.25"),
        carried=Decimal(0), document=json.dumps({"lines": lines}),
    )  # fmt: skip
    other = replace(reward, payout_id="R-000002", party="southwind", amount=Decimal("7.50"))
    await _record(store, PAYOUT_JOURNAL, "", reward, other)


async def _note(store: ClickHouseStatementStore) -> None:
    record = NoteRecord(
        "quill", "quill-N-000001", "credit_note", "globex", "quill-000001", "2026-10", OCTOBER.start, "USD",
        Decimal("2.50"), Decimal(0), "", "", "{}", "ana", "An outage on 3 October.", recorded_at=EPOCH,
    )  # fmt: skip
    await _record(store, NOTE_JOURNAL, "quill", record)
