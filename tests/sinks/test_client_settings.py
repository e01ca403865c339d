"""What every read asks of the engine, whatever the query: an answer that no cached verdict has shortened."""

from __future__ import annotations

from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.frozen import FINAL_SETTINGS


def test_no_read_trusts_the_cache_of_conditions(client: Client) -> None:
    """A join's runtime filter leaves verdicts in it that are not the condition's, and later reads lose their rows."""
    sql = "SELECT value FROM system.settings WHERE name = 'use_query_condition_cache'"
    assert [row["value"] for row in client.query_rows(sql, doing="asking")] == ["0"]
    # Copies are made by INSERT … SELECT, which is no read of the client's: it says so itself.
    assert "use_query_condition_cache = 0" in FINAL_SETTINGS
