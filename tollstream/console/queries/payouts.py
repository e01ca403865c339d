"""Payouts to Builders and rewards to providers, as they were decided, and which of them were paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import text
from sinks.clickhouse.readers.journals import to_rows
from sinks.payouts import PAYOUTS

PAYOUT, REWARD = "payout", "reward"
_COLUMNS = (
    "builder", "payout_id", "kind", "party", "period", "period_start", "currency", "amount", "carried", "due_at",
    "recorded_by", "reason", "recorded_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PaidOut:
    """One payout or reward."""

    builder: str
    payout_id: str
    kind: str
    party: str
    period: str
    period_start: datetime
    currency: str
    amount: Decimal
    carried: Decimal
    due_at: datetime
    recorded_by: str
    reason: str
    recorded_at: datetime
    paid_at: datetime | None
    reference: str
    document: str


def payouts(
    client: Client, kind: str, builder: str, payout_id: str = "", limit: int = 50, skip: int = 0
) -> list[PaidOut]:
    """The newest periods first. With `payout_id` that one, with its document.

    What was recorded first at a place stands, all of it: rewards of a month, and currencies of a payout, share one."""
    database = client.configuration.database
    own = f"AND builder = {text(builder)}" if builder else ""
    one = f"AND payout_id = {text(payout_id)}" if payout_id else ""
    sql = f"""
        SELECT {", ".join(f"p.{name} AS {name}" for name in _COLUMNS)},
            {"p.document" if payout_id else "''"} AS document, m.paid_at AS paid_at,
            ifNull(m.reference, '') AS reference, isNotNull(m.paid_at) AS is_paid
        FROM
        (
            SELECT * FROM {database}.payouts
            WHERE (builder, sequence, record_id) IN
            (
                SELECT builder, sequence, argMin(record_id, (recorded_at, record_id)) FROM {database}.payouts
                WHERE sequence > 0 {own} GROUP BY builder, sequence
            )
            ORDER BY builder, payout_id, recorded_at LIMIT 1 BY builder, payout_id
        ) AS p
        LEFT JOIN
        (
            SELECT builder, payout_id, toNullable(reference) AS reference, toNullable(paid_at) AS paid_at
            FROM {database}.payout_marks WHERE true {own}
            ORDER BY builder, payout_id, recorded_at LIMIT 1 BY builder, payout_id
        ) AS m ON p.builder = m.builder AND p.payout_id = m.payout_id
        WHERE p.kind = {text(kind)} {one.replace("payout_id", "p.payout_id")}
        ORDER BY p.period_start DESC, p.builder, p.party, p.currency, p.payout_id
        LIMIT {int(limit)} OFFSET {int(skip)}
    """
    rows = to_rows(client.query_arrow(sql, doing="reading payouts"), PAYOUTS)
    return [
        PaidOut(
            **{name: row[name] for name in _COLUMNS},
            paid_at=row["paid_at"] if row["is_paid"] else None,
            reference=row["reference"],
            document=row["document"],
        )
        for row in rows
    ]
