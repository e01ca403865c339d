"""docs/analysts.md: every query on the page is run, and answers what the page prints beneath it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import clickhouse_connect
import pytest

from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from tests.support import analysts

PAGE = Path(__file__).parents[2] / "docs" / "analysts.md"
EXAMPLE = re.compile(r"```sql\n(?P<query>.*?)```\n\n(?P<answer>(?:\|[^\n]*\n)*)", re.DOTALL)


async def test_golden_the_analysts_page_prints_what_its_queries_answer(database: ClickHouseConfiguration) -> None:
    sink = await ClickHouseSink.connect(database)
    await analysts.seed(sink)
    await sink.close()
    balances = Client.connect(database)
    await analysts.seed_balances(balances)
    balances.close()
    client = clickhouse_connect.get_client(host=database.host, port=database.port, database=database.database)
    page = PAGE.read_text(encoding="utf-8")

    def answered(example: re.Match[str]) -> str:
        answer = client.raw_query(example["query"], fmt="Markdown").decode()
        return f"```sql\n{example['query']}```\n\n{answer}"

    rewritten = EXAMPLE.sub(answered, page)
    client.close()
    if os.environ.get("GOLDEN") == "write":
        PAGE.write_text(rewritten, encoding="utf-8")
        page = rewritten
    assert rewritten.splitlines() == page.splitlines()


def test_every_query_on_the_page_has_its_answer_beneath_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    examples = list(EXAMPLE.finditer(page))
    assert len(examples) == page.count("```sql")
    assert len(examples) >= 8
    assert all(example["answer"] for example in examples)


@pytest.mark.parametrize(
    "view",
    [
        "billable_totals", "builder_earnings", "provider_rewards", "platform_fees", "usage_by_feature_and_model",
        "dead_letters_by_reason", "dead_letter_details", "unpriced_usage", "reconciliation", "reconciliation_by_key",
        "usage_since_last_statement", "balances", "balance_items",
    ],
)  # fmt: skip
def test_every_view_is_on_the_page(view: str) -> None:
    assert f"`{view}`" in PAGE.read_text(encoding="utf-8")
