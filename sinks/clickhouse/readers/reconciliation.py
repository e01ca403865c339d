"""Do ledger, totals and checkpoints agree? The figures of `sinks.reconciliation`, added up by the server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal

from sinks import tables
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import of_partitions, window
from sinks.reconciliation import METER_PREFIX, ZERO, Accounts, PartitionAccount, Residual, SumLine

_Place = tuple[int, int]  # topic_epoch, source_partition

# Identities are grouped a portion at a time, so that the whole ledger need not fit in the server's memory.
IDENTITIES_PER_PORTION = 20_000_000
_COUNTS = {"ledger_rows": "rows", "net_events": "net_events", "unpriced_events": "unpriced_events"}


def _figure(name: str, column: str, unit: str) -> str:
    """One (name, unit, ledger, totals) of a row of the view `reconciliation_by_key`."""
    return f"('{name}', {unit}, toDecimal256(ledger_{column}, 12), toDecimal256(totals_{column}, 12))"


_FIGURES = ", ".join(
    [_figure(name, column, "''") for name, column in _COUNTS.items()]
    + [_figure(name, name, "toString(currency)") for name in tables.AMOUNTS]
)


def reconcile(
    client: Client, topic_epoch: int, partitions: Collection[int], window_start_from: datetime | None
) -> Residual:
    """Of these partitions together, over windows starting at or after the time given."""
    where = of_partitions(topic_epoch, partitions)
    if window_start_from is not None:
        where += f" AND window_start >= {window(window_start_from)}"
    lines, imbalances = _figures(client, where)
    return Residual(tuple(line for place in sorted(lines) for line in lines[place]), sum(imbalances.values(), ZERO))


def read_accounts(client: Client) -> Accounts:
    """Of the whole store. Tables are read one after the other, checkpoints first: what a running worker adds since
    then lies above them and is left out."""
    database = client.configuration.database
    checkpoints = client.query_rows(
        f"""
        SELECT topic_epoch, source_partition, next_offset, events, accepted, duplicates, dead_lettered
        FROM {database}.checkpoints FINAL ORDER BY topic_epoch, source_partition
        """,
        doing="reading checkpoints",
    )
    next_offsets = {(row["topic_epoch"], row["source_partition"]): row["next_offset"] for row in checkpoints}
    letters = _count_below(client, "dead_letters", next_offsets)
    ledger = _count_below(client, "usage_ledger", next_offsets)
    twice, shared = _repeated_identities(client, sum(ledger.values()))
    accounts = []
    for row in checkpoints:
        place = (row["topic_epoch"], row["source_partition"])
        # A query per partition: none of them grows with the number of partitions, towards the timeout.
        lines, imbalances = _figures(client, of_partitions(row["topic_epoch"], [row["source_partition"]]))
        accounts.append(
            PartitionAccount(
                **row,
                ledger_rows=ledger.get(place, 0),
                dead_letter_rows=letters.get(place, 0),
                billed_twice=twice.get(place, 0),
                residual=Residual(tuple(lines.get(place, ())), imbalances.get(place, ZERO)),
            )
        )
    return Accounts(tuple(accounts), shared)


def _figures(client: Client, where: str) -> tuple[Mapping[_Place, list[SumLine]], Mapping[_Place, Decimal]]:
    """The lines and the imbalance of each partition. Numbers come as text: Decimal256 has no Arrow type to travel in.

    A difference is believed once it has been seen twice: within one query the server looks at ledger and totals some
    microseconds apart, and a worker may be writing.
    """
    answer = _figures_once(client, where)
    if _differs(answer):
        answer = _figures_once(client, where)
    return answer


def _differs(answer: tuple[Mapping[_Place, list[SumLine]], Mapping[_Place, Decimal]]) -> bool:
    lines, imbalances = answer
    return any(imbalances.values()) or any(line.difference for some in lines.values() for line in some)


def _figures_once(client: Client, where: str) -> tuple[Mapping[_Place, list[SumLine]], Mapping[_Place, Decimal]]:
    sql = f"""
        SELECT
            topic_epoch, source_partition, figure.2 AS unit, figure.1 AS name,
            toString(sum(figure.3)) AS ledger, toString(sum(figure.4)) AS totals,
            toString(sum(abs(figure.3 - figure.4))) AS difference
        FROM
        (
            SELECT
                topic_epoch, source_partition,
                arrayJoin(arrayConcat(
                    [{_FIGURES}, ('imbalance', '', toDecimal256(imbalance, 12), toDecimal256(0, 12))],
                    arrayMap(
                        meter -> (
                            concat('{METER_PREFIX}', toString(meter)), '',
                            toDecimal256(ledger_usage[meter], 12), toDecimal256(totals_usage[meter], 12)
                        ),
                        arrayDistinct(arrayConcat(mapKeys(ledger_usage), mapKeys(totals_usage)))
                    )
                )) AS figure
            FROM {client.configuration.database}.reconciliation_by_key
            WHERE {where}
        )
        GROUP BY topic_epoch, source_partition, unit, name
        ORDER BY topic_epoch, source_partition, unit, name
    """
    lines: dict[_Place, list[SumLine]] = defaultdict(list)
    imbalances: dict[_Place, Decimal] = {}
    for row in client.query_rows(sql, doing="adding up ledger and totals"):
        place = (row["topic_epoch"], row["source_partition"])
        ledger, totals, difference = (Decimal(row[name]) for name in ("ledger", "totals", "difference"))
        if row["name"] == "imbalance":
            imbalances[place] = ledger
        else:
            lines[place].append(SumLine(*place, row["unit"], row["name"], ledger, totals, difference))
    return lines, imbalances


def _count_below(client: Client, table: str, next_offsets: Mapping[_Place, int]) -> dict[_Place, int]:
    """Rows of each partition below its checkpoint, each place once."""
    if not next_offsets:
        return {}
    below = " OR ".join(
        f"(topic_epoch = {epoch} AND source_partition = {partition} AND source_offset < {next_offset})"
        for (epoch, partition), next_offset in next_offsets.items()
    )
    sql = f"""
        SELECT topic_epoch, source_partition, toInt64(count()) AS rows
        FROM {client.configuration.database}.{table} FINAL WHERE {below} GROUP BY topic_epoch, source_partition
    """
    rows = client.query_rows(sql, doing=f"counting {table}")
    return {(row["topic_epoch"], row["source_partition"]): row["rows"] for row in rows}


def _repeated_identities(client: Client, ledger_rows: int) -> tuple[dict[_Place, int], int]:
    """Identities standing at two places of one partition, by partition; and how many stand in two partitions."""
    twice: dict[_Place, int] = defaultdict(int)
    shared = 0
    portions = ledger_rows // IDENTITIES_PER_PORTION + 1
    for portion in range(portions):
        found = client.query_rows(
            f"""
            SELECT identity_high, identity_low, topic_epoch, source_partition, toInt64(count()) AS rows
            FROM {client.configuration.database}.usage_ledger FINAL
            WHERE identity_low % {portions} = {portion}
                AND (identity_high, identity_low) IN
                (
                    SELECT identity_high, identity_low FROM {client.configuration.database}.usage_ledger FINAL
                    WHERE identity_low % {portions} = {portion}
                    GROUP BY identity_high, identity_low HAVING count() > 1
                )
            GROUP BY identity_high, identity_low, topic_epoch, source_partition
            """,
            doing="looking for events billed twice",
        )
        partitions: dict[tuple[int, int], int] = defaultdict(int)
        for row in found:
            if row["rows"] > 1:
                twice[(row["topic_epoch"], row["source_partition"])] += 1
            partitions[(row["identity_high"], row["identity_low"])] += 1
        shared += sum(count > 1 for count in partitions.values())
    return dict(twice), shared
