"""The one filter: a store as a token sees it. Every query of the console goes through `ScopedClient`, and nowhere else.

How       the engine itself adds the role's condition to every table that a query reads, inside of views, joins and
          subqueries too (`additional_table_filters`): no query can forget it, and the sort key is used for it.
Closed    a table that `RULES` does not know has no rows for anybody but an operator.
Read-only nothing can be written through it, and a query that takes too long is ended.
On a server with users the same conditions stand as row policies: deploy/clickhouse/row-policies.sql, from `RULES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import text
from tollstream.console.access import Access

ALL, NONE = "1", "0"  # as conditions
OF_BUILDER, OF_TENANT = "builder", "builder and tenant"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which rows of a table a Builder and a tenant see: ALL, NONE, OF_BUILDER or OF_TENANT."""

    builder: str
    tenant: str


OWN = Rule(OF_BUILDER, OF_TENANT)
BUILDERS_ONLY = Rule(OF_BUILDER, NONE)
EVERYONE = Rule(ALL, ALL)
OPERATORS_ONLY = Rule(NONE, NONE)

RULES: Mapping[str, Rule] = {
    "usage_ledger": OWN,
    "usage_totals": OWN,
    "statements": OWN,
    "statement_lines": OWN,
    "credit_draws": OWN,
    "credit_grants": OWN,
    "notes": OWN,
    "live_balances": OWN,
    "closing_usage": OWN,
    # A tenant's balance is computed from these; what stands in them of others is shown to no tenant.
    "closings": Rule(OF_BUILDER, OF_BUILDER),
    "plan_books": Rule(OF_BUILDER, OF_BUILDER),
    "posting_sets": BUILDERS_ONLY,
    "payouts": BUILDERS_ONLY,
    "payout_marks": BUILDERS_ONLY,
    "payout_terms": BUILDERS_ONLY,
    "payout_sends": OPERATORS_ONLY,  # what payment commands wrote
    "books": EVERYONE,  # an explanation reads them; rules of others are left out of it (redaction.py)
    "fx_rates": EVERYONE,
    "checkpoints": EVERYONE,  # how far usage is stored: offsets, and nobody's data
    "topic_epochs": EVERYONE,
    "schema_migrations": EVERYONE,
    "dead_letters": OPERATORS_ONLY,  # whose they are is what could not be read
    "rerates": OPERATORS_ONLY,
    "backfill_grants": OPERATORS_ONLY,
    "console_tokens": OPERATORS_ONLY,
}
SECONDS_MAX = 20


class ScopedClient(Client):
    """A client over another one's connections that reads what `access` may see."""

    def __init__(self, client: Client, access: Access, tables: Iterable[str]) -> None:
        """`tables` are all that the database has."""
        self.configuration = client.configuration
        self._driver, self._threads = client._driver, client._threads
        self.access = access
        seconds = min(SECONDS_MAX, client.configuration.timeout_seconds)
        self._reads = {**client._reads, "readonly": "2", "max_execution_time": str(seconds)}
        filters = filters_of(client.configuration.database, access, tables)
        if filters:
            self._reads["additional_table_filters"] = filters

    def query_bytes(
        self,
        sql: str,
        *,
        fmt: str,
        doing: str,
        settings: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> bytes:
        """As `Client`; what the filter needs cannot be overruled."""
        given = {name: value for name, value in (settings or {}).items() if name not in self._reads}
        if "additional_table_filters" in sql or "readonly" in sql:
            raise PermissionError("a query of the console may not change what it may see")
        return super().query_bytes(sql, fmt=fmt, doing=doing, settings=given, parameters=parameters)

    def command(self, sql: str, *, doing: str) -> None:
        """Not here."""
        raise PermissionError(f"the console changes nothing: {doing}")

    def insert_arrow(
        self, table: str, rows: pa.Table, *, doing: str, settings: Mapping[str, str] | None = None
    ) -> None:
        """Not here."""
        raise PermissionError(f"the console changes nothing: {doing}")

    def close(self) -> None:
        """The connections are the other client's."""


def filters_of(database: str, access: Access, tables: Iterable[str]) -> str:
    """The setting's value: a map of table to condition; "" for an operator."""
    if access.is_operator:
        return ""
    entries = []
    for table in sorted({*tables, *RULES}):
        condition = condition_of(table, access)
        if condition != ALL:
            quoted = condition.replace("'", "\\'")
            entries.append(f"'{database}.{table}':'{quoted}'")
    return "{" + ",".join(entries) + "}"


def condition_of(table: str, access: Access) -> str:
    """What of a table this token may see, as SQL."""
    rule = RULES.get(table, OPERATORS_ONLY)
    which = rule.tenant if access.is_tenant else rule.builder
    own = f"builder = {text(access.builder)}"
    if which == OF_TENANT:
        return f"{own} AND tenant = {text(access.tenant)}"
    return own if which == OF_BUILDER else which


def tables_of(client: Client) -> list[str]:
    """Every table of the database that holds rows, those of later versions too."""
    sql = f"""
        SELECT name FROM system.tables
        WHERE database = {text(client.configuration.database)} AND engine NOT IN ('View') ORDER BY name
    """
    return [row["name"] for row in client.query_rows(sql, doing="listing the tables")]
