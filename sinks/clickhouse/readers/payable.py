"""What payees have on their accounts, which documents are posted, and whether all that is posted adds up to 0."""

from __future__ import annotations

from collections.abc import Collection

from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import text
from sinks.payable import Balance, Charged, Payable

_KEYS = tuple(name for name in Payable.__dataclass_fields__ if name != "amount")


def read_payable(client: Client, accounts: Collection[str], builder: str | None) -> list[Payable]:
    """Sums by payee, document kind, period and reason, in order; of one Builder's books or of all."""
    wanted = [f"account IN ({', '.join(map(text, sorted(accounts)))})"]
    if builder is not None:
        wanted.append(f"builder = {text(builder)}")
    keys = ", ".join(_KEYS)
    sql = f"""
        SELECT {keys}, sum(amount) AS posted FROM {client.configuration.database}.postings
        WHERE {" AND ".join(wanted)} GROUP BY {keys} ORDER BY {keys}
    """
    rows = client.query_arrow(sql, doing="adding up what is to be paid").to_pylist()
    return [Payable(**{name: row[name] for name in _KEYS}, amount=row["posted"]) for row in rows]


def read_posted_documents(client: Client, builder: str, kinds: Collection[str]) -> set[tuple[str, str]]:
    """(kind, document) of every set that is posted, of these kinds."""
    sql = f"""
        SELECT DISTINCT document_kind, document FROM {client.configuration.database}.posting_sets
        WHERE builder = {text(builder)} AND document_kind IN ({", ".join(map(text, sorted(kinds)))})
    """
    rows = client.query_rows(sql, doing="looking which documents are posted")
    return {(row["document_kind"], row["document"]) for row in rows}


def read_charged(client: Client, builder: str, number: int) -> Charged | None:
    """Of the lines that make up the net of a closed statement."""
    database = client.configuration.database
    sql = f"""
        SELECT any(charge_currency) AS charge_currency, sum(abs(charge)) AS charge, sum(abs(exact)) AS exact,
            count() AS lines
        FROM {database}.statement_lines FINAL
        WHERE builder = {text(builder)} AND number = {int(number)} AND kind NOT IN ('tax', 'payment')
            AND closing_id IN (SELECT closing_id FROM {database}.closed_periods)
    """
    [row] = client.query_rows(sql, doing="reading what a statement was charged")
    return Charged(row["charge_currency"], row["charge"], row["exact"]) if row["lines"] else None


def read_balance(client: Client) -> list[Balance]:
    """Of everything that counts, by currency."""
    sql = f"""
        SELECT currency, count() AS postings, sumIf(amount, amount > 0) AS debits, sum(amount) AS residual
        FROM {client.configuration.database}.postings GROUP BY currency ORDER BY currency
    """
    return [Balance(**row) for row in client.query_rows(sql, doing="adding up all postings")]
