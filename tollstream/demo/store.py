"""What the demonstration asks ClickHouse, over HTTP like any analyst's client: plain SQL, rows as dictionaries."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect

AMOUNTS = ("customer_charge", "provider_reward", "platform_fee", "builder_earnings")
_AMOUNTS = ", ".join(AMOUNTS)
CHECKPOINTS = """
SELECT source_partition, argMax(c.worker, c.next_offset) AS worker, max(c.next_offset) AS next_offset,
       argMax((c.events, c.accepted, c.duplicates, c.dead_lettered, c.voids, c.unpriced), c.next_offset) AS counts
FROM checkpoints AS c GROUP BY source_partition ORDER BY source_partition
"""
LEDGER = f"""
SELECT source_partition, source_offset, batch_index, kind, builder, tenant,
       toUnixTimestamp(window_start) AS window_start, pricing, currency, {_AMOUNTS}
FROM usage_ledger FINAL
"""
TOTALS = f"""
SELECT builder, tenant, toUnixTimestamp(window_start) AS window_start, currency, {_AMOUNTS},
       ledger_rows, net_events, unpriced_events
FROM usage_totals FINAL
"""
DEAD_LETTERS = "SELECT source_partition, source_offset, batch_index, reason FROM dead_letters FINAL"
DEAD_LETTER_REASONS = "SELECT reason, dead_letters FROM dead_letters_by_reason ORDER BY dead_letters DESC, reason"
TENANTS = "SELECT builder, tenant, sum(t.customer_charge) AS charge FROM usage_totals AS t FINAL GROUP BY 1, 2"
SPLIT = """
SELECT builder, currency, sum(t.net_events) AS net_events, sum(t.customer_charge) AS customer_charge,
       sum(t.provider_reward) AS provider_reward, sum(t.platform_fee) AS platform_fee,
       sum(t.builder_earnings) AS builder_earnings
FROM usage_totals AS t FINAL GROUP BY builder, currency ORDER BY customer_charge DESC
"""
LINES = """
SELECT feature, rule_id, currency, sum(t.net_events) AS net_events, sum(t.unpriced_events) AS unpriced_events,
       sumMap(t.usage) AS usage, sum(t.customer_charge) AS customer_charge
FROM usage_totals AS t FINAL WHERE builder = {builder:String} AND tenant = {tenant:String}
GROUP BY feature, rule_id, currency ORDER BY customer_charge DESC
"""
BILLED = """
SELECT charge_currency AS currency, sum(s.charge) AS charge FROM statement_lines AS s FINAL
WHERE kind = 'usage' AND closing_id IN (SELECT closing_id FROM closed_periods) GROUP BY currency
"""
COUNTED = """
SELECT builder, tenant, refers_to AS rule_id, unit, sum(s.quantity) AS quantity FROM statement_lines AS s FINAL
WHERE kind = 'usage' AND s.quantity IS NOT NULL AND closing_id IN (SELECT closing_id FROM closed_periods)
GROUP BY builder, tenant, rule_id, unit
"""
USED = """
SELECT builder, tenant, rule_id, sumMap(l.usage) AS usage, countIf(kind = 'usage') - countIf(kind = 'void') AS events
FROM usage_ledger AS l FINAL WHERE kind IN ('usage', 'void') GROUP BY builder, tenant, rule_id
"""
POSTED = """
SELECT account, currency, sum(p.amount) AS amount FROM postings AS p
WHERE document_kind = 'statement' AND refers_to = 'usage' GROUP BY account, currency
"""
DUE = """
SELECT account, currency, sum(p.amount) AS amount FROM postings AS p
WHERE account IN ('payout_due', 'reward_due') GROUP BY account, currency
"""


class Store:
    """A connection to the demonstration's database; blocking."""

    def __init__(self, url: str, database: str) -> None:
        parts = urlsplit(url)
        self._client = clickhouse_connect.get_client(host=parts.hostname, port=parts.port, database=database)

    def rows(self, query: str, **parameters: str) -> list[dict[str, Any]]:
        """The answer's rows by column name."""
        return list(self._client.query(query, parameters=parameters).named_results())

    def next_offsets(self) -> dict[int, int]:
        """For each partition with a checkpoint, up to where it is stored."""
        return {row["source_partition"]: row["next_offset"] for row in self.rows(CHECKPOINTS)}

    def workers(self) -> dict[int, int]:
        """For each partition, the process id of the worker that stored its end."""
        return {row["source_partition"]: int(row["worker"].rpartition(":")[2]) for row in self.rows(CHECKPOINTS)}

    def outcomes(self) -> dict[str, int]:
        """What became of all events, as the workers' checkpoints count them."""
        names = ("published", "accepted", "duplicates", "dead_lettered", "voided", "unpriced")
        counts = [row["counts"] for row in self.rows(CHECKPOINTS)]
        return {name: sum(count[number] for count in counts) for number, name in enumerate(names)}

    def close(self) -> None:
        self._client.close()
