"""Views: each row final, whatever was replayed, and residuals that are not zero when something is wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from tests.support import analysts, rows
from tests.support.rows import ledger_row, void_row

LAST_DIGIT = Decimal("0.000000000001")


@pytest.fixture
async def sink(database: ClickHouseConfiguration) -> Any:
    sink = await ClickHouseSink.connect(database)
    yield sink
    await sink.close()


def ask(client: Client, sql: str) -> list[dict[str, Any]]:
    return client.query_rows(sql.replace("FROM ", f"FROM {client.configuration.database}."), doing="asking")


async def test_replayed_flushes_change_no_view(sink: ClickHouseSink, client: Client) -> None:
    views = ("billable_totals", "builder_earnings", "provider_rewards", "platform_fees", "usage_by_feature_and_model",
             "dead_letters_by_reason", "dead_letter_details", "unpriced_usage", "reconciliation",
             "usage_since_last_statement")  # fmt: skip
    await analysts.seed(sink)
    once = {view: ask(client, f"SELECT * FROM {view} ORDER BY ALL") for view in views}
    assert all(once.values())
    for _ in range(2):
        await analysts.seed(sink)
    assert {view: ask(client, f"SELECT * FROM {view} ORDER BY ALL") for view in views} == once


async def test_the_three_parts_of_a_charge_stand_apart_and_add_up(sink: ClickHouseSink, client: Client) -> None:
    await analysts.seed(sink)
    sums = {
        name: ask(client, f"SELECT sum({name}) AS amount FROM {view}")[0]["amount"]
        for view, name in (
            ("billable_totals", "customer_charge"),
            ("provider_rewards", "provider_reward"),
            ("platform_fees", "platform_fee"),
            ("builder_earnings", "builder_earnings"),
        )
    }
    charges = sum((row["customer_charge"] or Decimal(0) for row in analysts.a_day()), Decimal(0))
    assert sums["customer_charge"] == charges
    assert charges == sums["provider_reward"] + sums["platform_fee"] + sums["builder_earnings"]


async def test_unpriced_usage_that_was_taken_back_waits_no_longer(sink: ClickHouseSink, client: Client) -> None:
    waiting = ledger_row(0, pricing="unpriced", unpriced_reason="no_price", **rows.NULL_AMOUNTS)
    await sink.write_ledger(rows.ledger([waiting]))
    assert [row["net_events"] for row in ask(client, "SELECT * FROM unpriced_usage")] == [1]
    await sink.write_ledger(rows.ledger([void_row(1, waiting)]))
    assert ask(client, "SELECT * FROM unpriced_usage") == []


async def test_dead_letter_details_show_bytes_that_are_no_text(sink: ClickHouseSink, client: Client) -> None:
    await sink.write_dead_letters(rows.dead_letters([rows.dead_letter_row(0, record_value=b"\xff{", record_key=None)]))
    (letter,) = ask(client, "SELECT * FROM dead_letter_details")
    assert (letter["record_key"], letter["record_value"]) == (None, "�{")
    (stored,) = ask(client, "SELECT hex(record_value) AS bytes FROM dead_letters")
    assert stored["bytes"] == "FF7B"


@pytest.mark.parametrize(
    ("residual", "expected"),
    [
        ("event_residual", 1),
        ("ledger_residual", -1),
        ("dead_letter_residual", -1),
        ("customer_charge_residual", LAST_DIGIT),
        ("builder_earnings_residual", LAST_DIGIT),
        ("usage_residual", Decimal("0.000001")),
        ("imbalance", LAST_DIGIT),
    ],
)
async def test_each_residual_of_the_view_shows_its_own_fault_and_no_other(
    sink: ClickHouseSink, client: Client, residual: str, expected: Decimal
) -> None:
    ledger, checkpoint = [ledger_row(0), ledger_row(1)], rows.checkpoint_row(2)
    if residual == "imbalance":
        ledger[0]["platform_fee"] += LAST_DIGIT
    (total,) = rows.totals_of(ledger)
    if residual.endswith(("charge_residual", "earnings_residual")):
        total[residual.removesuffix("_residual")] += LAST_DIGIT
    elif residual == "usage_residual":
        total["usage"]["requests"] -= Decimal("0.000001")
    elif residual == "event_residual":
        checkpoint["events"] += 1
    elif residual == "ledger_residual":
        checkpoint |= {"events": 3, "accepted": 3}
    elif residual == "dead_letter_residual":
        checkpoint |= {"events": 3, "dead_lettered": 1}
    await sink.write_ledger(rows.ledger(ledger))
    await sink.write_totals(rows.totals([total]))
    await sink.write_checkpoints(rows.checkpoints([checkpoint]))
    (row,) = ask(client, "SELECT * FROM reconciliation")
    shown = {name: value for name, value in row.items() if name.endswith("_residual") or name == "imbalance"}
    assert {name: value for name, value in shown.items() if value} == {residual: expected}
    assert row["keys_differing"] == (
        residual in ("customer_charge_residual", "builder_earnings_residual", "usage_residual")
    )
