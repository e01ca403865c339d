"""The day that docs/analysts.md asks its questions of: two Builders, three tenants, a void, a gap in the prices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sinks.balances import LIVE_BALANCES
from sinks.clickhouse.client import Client
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.contract import Sink
from tests.support import rows
from tests.support.rows import WINDOW, Row, ledger_row, void_row

NEXT = WINDOW + timedelta(hours=1)


def _call(offset: int, tokens: str, base: str, charge: str, **given: Any) -> Row:
    """A rated call: the provider gets 70 % of the base, the platform the rest, the Builder what stands above it."""
    reward = Decimal(base) * Decimal("0.7")
    amounts = {
        "base_cost": Decimal(base),
        "customer_charge": Decimal(charge),
        "provider_reward": reward,
        "platform_fee": Decimal(base) - reward,
        "builder_earnings": Decimal(charge) - Decimal(base),
    }
    versions = {"price_version": "2026-01", "rule_version": "2026-01"}
    start: datetime = given.get("window_start", WINDOW)
    times = {
        "event_time": start + timedelta(minutes=offset),
        "record_time": start + timedelta(minutes=offset, seconds=2),
    }
    return ledger_row(
        offset,
        **versions | amounts | times | {"usage": {"output_tokens": Decimal(tokens), "requests": Decimal(1)}} | given,
    )


def a_day() -> list[Row]:
    """Ledger rows in log order, partition by partition."""
    claude = {"provider": "anthropic", "model": "claude-b"}
    brio = {"builder": "brio", "tenant": "west", "source_partition": 1, "feature": "reports", **claude}
    taken_back = _call(2, "900", "0.009", "0.0135", id="e2")
    return [
        _call(0, "1200", "0.012", "0.018"),
        _call(1, "300", "0.00300000001", "0.0045", feature="search"),
        taken_back,
        void_row(3, taken_back),
        _call(4, "500", "0.02", "0.03", tenant="south", **claude),
        _call(5, "800", "0.008", "0.012", window_start=NEXT),
        _call(0, "2000", "0.08", "0.05", id="w0", rule_id="fixed-report", **brio),
        _call(1, "100", "0.004", "0.05", id="w1", rule_id="fixed-report", window_start=NEXT, **brio),
        ledger_row(
            2, id="w2", pricing="unpriced", unpriced_reason="no_price", rule_id="", **rows.NULL_AMOUNTS
            | brio | {"model": "claude-next", "usage": {"output_tokens": Decimal(700), "requests": Decimal(1)}}
        ),
    ]  # fmt: skip


async def seed(sink: Sink) -> None:
    """Store the day as a worker would have."""
    ledger = a_day()
    letters = [
        rows.dead_letter_row(6),
        rows.dead_letter_row(
            3, source_partition=1, reason="unknown_meter", record_key=b"brio/west", record_value=b'{"id": "w3"}',
            detail="data.usage.output_tokenz is no meter of the catalogue; did you mean output_tokens?",
        ),
    ]  # fmt: skip
    await sink.write_ledger(rows.ledger(ledger))
    await sink.write_dead_letters(rows.dead_letters(letters))
    await sink.write_totals(rows.totals(rows.totals_of(ledger)))
    counts = {"duplicates": 1, "dead_lettered": 1}
    await sink.write_checkpoints(
        rows.checkpoints(
            [
                rows.checkpoint_row(8, events=8, accepted=6, voids=1, **counts),
                rows.checkpoint_row(5, events=5, accepted=3, unpriced=1, source_partition=1, **counts),
            ]
        )
    )


async def seed_balances(client: Client) -> None:
    """What a watcher would have kept of two tenants: one with a plan, one whose statement would be in another currency
    that has no rate."""
    end = datetime(2099, 1, 1, tzinfo=UTC)
    common = {"builder": "acme", "period": "2026-01", "period_start": WINDOW, "period_end": end, "as_of": WINDOW}
    nothing: dict[str, Any] = {name: [] for name in ("kind", "item", "label", "unit", "used", "limit")}
    north = common | {
        "tenant": "north", "plan": "team", "currency": "EUR", "total": Decimal("10.41"), "charge_currency": "USD",
        "spent": Decimal("1.5"), "refusal": "", "kind": ["allowance", "credit", "cap"],
        "item": ["team/answers", "gift-7", "cap"], "label": ["Included answers", "Welcome", "Spend cap"],
        "unit": ["requests", "USD", "USD"], "used": [Decimal(100), Decimal("1.5"), Decimal("1.5")],
        "limit": [Decimal(100), Decimal(5), Decimal(20)],
    }  # fmt: skip
    south = common | nothing | {
        "tenant": "south", "plan": "team", "currency": "EUR", "total": Decimal(0), "charge_currency": "USD",
        "spent": Decimal(0), "refusal": "there is no rate from USD to EUR",
    }  # fmt: skip
    rows = pa.Table.from_pylist([north, south], schema=LIVE_BALANCES)
    await ClickHouseStatementStore(client).write_rows("live_balances", rows)
