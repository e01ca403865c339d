"""What does a line add up to, window by window, in the totals and in the ledger; and which events are in a window?

Every condition is on the sort key's first columns, so a line of one tenant reads that tenant's range and no more.
Amounts are added as Decimal256 and travel as text: no sum can leave its type.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sinks import tables
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import text, window
from sinks.clickhouse.readers.identities import PLACE
from sinks.frames import to_frame
from sinks.lines import COUNTS, NARROWING, NOTHING, Line, LineSums, Origin, Page, Sums, WindowSums, add

_KEY = ", ".join((*tables.TOTALS_KEY, "topic_epoch", "source_partition"))
_SUMS = ", ".join(f"toString(sum(toDecimal256(ifNull({name}, 0), 12))) AS {name}_sum" for name in tables.AMOUNTS)
_START = "toInt64(toUnixTimestamp(window_start)) AS start"
_NET = "multiIf(kind = 'usage', 1, kind = 'void', -1, 0)"
_UNPRICED = f"multiIf(pricing = 'unpriced', {_NET}, pricing = 'rated_later', -1, 0)"  # as agents/rows.py counts
_Origin = tuple[str, str, str, str, str]


def read_line(client: Client, line: Line) -> LineSums:
    """Both sides. A difference is believed once it has been seen twice: a worker may write between the two readings."""
    answer = _read_once(client, line)
    if any(each.totals != each.ledger for each in answer.windows):
        answer = _read_once(client, line)
    return answer


def _read_once(client: Client, line: Line) -> LineSums:
    totals = {_window(row): _sums(row) for row in _totals(client, line)}
    covered: dict[tuple[datetime, str], list[Sums]] = defaultdict(list)
    pending: dict[tuple[datetime, str], list[Sums]] = defaultdict(list)
    origins: dict[_Origin, list[Sums]] = defaultdict(list)
    for row in _ledger(client, line):
        sums = _sums(row)
        (covered if row["covered"] else pending)[_window(row)].append(sums)
        currency, prices, rules, rule, pricing = (row[name] for name in _ORIGIN)
        origins[currency, prices, rules, rule, pricing].append(sums)
    windows = tuple(
        WindowSums(*key, totals.get(key, NOTHING), add(covered.get(key, ())), add(pending.get(key, ())))
        for key in sorted({*totals, *covered, *pending}, key=lambda key: (key[1], key[0]))
    )
    rated_by = (Origin(*key, sums=add(some)) for key, some in sorted(origins.items()))
    return LineSums(windows, tuple(rated_by))


_ORIGIN = ("currency", "price_version", "rule_version", "rule_id", "pricing")


def _totals(client: Client, line: Line) -> list[dict[str, Any]]:
    sql = f"""
        SELECT {_START}, toString(currency) AS currency,
            {", ".join(f"toInt64(sum({name})) AS {name}" for name in COUNTS)}, {_SUMS}, sumMap(usage) AS usage
        FROM (SELECT * FROM {client.configuration.database}.usage_totals FINAL WHERE {_where(line)})
        GROUP BY window_start, currency
    """
    return client.query_rows(sql, doing="reading the totals of a line")


def _ledger(client: Client, line: Line) -> list[dict[str, Any]]:
    """A row counts as in the totals if the total of its key covers its offset, or the checkpoint has passed it."""
    database = client.configuration.database
    sql = f"""
        SELECT {_START}, covered, {", ".join(f"toString({name}) AS {name}" for name in _ORIGIN)},
            toInt64(count()) AS ledger_rows, toInt64(sum({_NET})) AS net_events,
            toInt64(sum({_UNPRICED})) AS unpriced_events, {_SUMS}, sumMap(usage) AS usage
        FROM
        (
            SELECT window_start, kind, usage, {", ".join((*_ORIGIN, *tables.AMOUNTS))},
                source_offset < greatest(covered_to, next_offset) AS covered
            FROM (SELECT * FROM {database}.usage_ledger FINAL WHERE {_where(line)}) AS ledger
            LEFT JOIN
            (
                SELECT {_KEY}, last_offset + 1 AS covered_to
                FROM {database}.usage_totals FINAL WHERE {_where(line)}
            ) AS totals USING ({_KEY})
            LEFT JOIN
            (
                SELECT topic_epoch, source_partition, next_offset FROM {database}.checkpoints FINAL
            ) AS done USING (topic_epoch, source_partition)
        )
        GROUP BY window_start, covered, {", ".join(_ORIGIN)}
    """
    return client.query_rows(sql, doing="adding up the ledger rows of a line")


def read_events(client: Client, line: Line, *, skip: int, limit: int | None) -> Page:
    """The line's ledger rows, by event time, then place; `limit` None means all from `skip` on."""
    columns = ", ".join(tables.LEDGER.names)
    overall = ", ".join(
        f"toString(sum(toDecimal256(ifNull({name}, 0), 12)) OVER ()) AS all_{name}" for name in tables.AMOUNTS
    )
    bounds = f"LIMIT {int(limit)} OFFSET {int(skip)}" if limit is not None else f"OFFSET {int(skip)}"
    sql = f"""
        SELECT {columns}, toInt64(count() OVER ()) AS all_rows, {overall}
        FROM (SELECT {columns} FROM {client.configuration.database}.usage_ledger FINAL WHERE {_where(line)})
        ORDER BY event_time, {", ".join(PLACE)} {bounds}
    """
    answer = client.query_arrow(sql, doing="reading the events of a window")
    rows = to_frame(answer.select(tables.LEDGER.names), tables.LEDGER).to_dicts()
    if not rows:
        whole = read_events(client, line, skip=0, limit=1) if skip else None
        return Page((), whole.count, whole.amounts) if whole else Page((), 0, NOTHING.amounts)
    first = answer.slice(0, 1).to_pylist()[0]
    return Page(tuple(rows), first["all_rows"], {name: Decimal(first[f"all_{name}"]) for name in tables.AMOUNTS})


def _sums(row: Mapping[str, Any]) -> Sums:
    amounts = {name: Decimal(row[f"{name}_sum"]) for name in tables.AMOUNTS}
    usage = {meter: quantity for meter, quantity in sorted(row["usage"]) if quantity}
    return Sums(**{name: row[name] for name in COUNTS}, amounts=amounts, usage=usage)


def _window(row: Mapping[str, Any]) -> tuple[datetime, str]:
    return datetime.fromtimestamp(row["start"], UTC), row["currency"]


def _where(line: Line) -> str:
    wanted = [
        f"builder = {text(line.builder)}",
        f"tenant = {text(line.tenant)}",
        f"window_start >= {window(line.start)}",
        f"window_start < {window(line.end)}",
        *(f"{name} = {text(line.narrowed[name])}" for name in NARROWING if name in line.narrowed),
    ]
    return " AND ".join(wanted)


def read_months(client: Client, builder: str, tenant: str) -> list[str]:
    """The months (YYYY-MM, UTC) in which the tenant has usage."""
    sql = f"""
        SELECT DISTINCT formatDateTime(window_start, '%Y-%m') AS month
        FROM {client.configuration.database}.usage_totals
        WHERE builder = {text(builder)} AND tenant = {text(tenant)} ORDER BY month
    """
    return [row["month"] for row in client.query_rows(sql, doing="looking for the usage of a tenant")]
