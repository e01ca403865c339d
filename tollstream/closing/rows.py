"""From statements to the rows they are stored as: a function of the frozen input, so equal whenever they are made.

The document is what the tenant gets (`tollstream.rendering.record`); the date on it is that of the frozen input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from billing.money import EXACT
from billing.plans import PlanBook
from billing.statements import Statement
from sinks.agreements import CREDIT_GRANTS, GrantRecord, grant_row
from sinks.closings import Closing
from sinks.statements import CREDIT_DRAWS, POSTING_SETS, STATEMENT_LINES, STATEMENTS, reference_of
from tollstream.rendering.document import Party, StatementDocument
from tollstream.rendering.record import written

STATEMENT = "statement"  # the kind of document in posting sets
SUMS = ("net", "tax", "total", "paid", "due")
# In this order, so that a statement that stands has everything else.
TABLES = ("credit_grants", "credit_draws", "posting_sets", "statement_lines", "statements")


def is_empty(statement: Statement) -> bool:
    """Nothing to say: it gets no number."""
    return not (statement.lines or statement.postings or statement.draws or statement.carried_over)


def document_of(statement: Statement, entry: Closing, number: int, book: PlanBook | None) -> StatementDocument:
    """The statement as it goes out, with the names that the plan book in force at the period's end gives."""
    issued = entry.recorded_at.astimezone(ZoneInfo(entry.cycle.zone)).date()
    plain = StatementDocument(statement, reference_of(statement.builder, number), issued)
    if book is None:
        return plain
    sender, customer = book.sender, book.customer(statement.tenant)
    days = sender.pay_within_days
    return replace(
        plain,
        pay_by=None if days is None else issued + timedelta(days=days),
        builder=Party(sender.name, sender.address),
        tenant=Party(customer.name, customer.address),
        note=sender.note,
    )


@dataclass(slots=True)
class Rows:
    """Columns of every table, filled a statement at a time."""

    entry: Closing  # that of the frozen input
    book: PlanBook | None  # in force at the period's end
    statements: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    draws: list[dict[str, Any]] = field(default_factory=list)
    sets: list[dict[str, Any]] = field(default_factory=list)
    grants: list[dict[str, Any]] = field(default_factory=list)
    sums: dict[str, dict[str, Decimal]] = field(default_factory=dict)

    def add(self, statement: Statement, number: int) -> None:
        """Take a statement up under its number."""
        entry, totals = self.entry, statement.totals
        mine = {
            "builder": statement.builder,
            "tenant": statement.tenant,
            "number": number,
            "closing_id": entry.closing_id,
        }
        period = {"period_start": statement.period.start}
        reference = reference_of(statement.builder, number)
        self.statements.append(
            mine
            | period
            | {
                "reference": reference,
                "period": statement.period.label,
                "period_end": statement.period.end,
                "issued_at": entry.recorded_at,
                "currency": statement.currency,
                "charge_currency": statement.charge_currency,
                "lines": len(statement.lines),
                "document": written(document_of(statement, entry, number, self.book)).decode(),
            }
            | {name: getattr(totals, name) for name in SUMS}
        )
        currencies = {"currency": statement.currency, "charge_currency": statement.charge_currency}
        for position, line in enumerate(statement.lines, 1):
            self.lines.append({**mine, **period, **currencies, "position": position, **line._asdict()})
        for position, draw in enumerate(statement.draws, 1):
            own = {name: getattr(draw, name) for name in ("grant_id", "kind", "period", "line")}
            amounts = {name: getattr(draw, name) for name in ("quantity", "amount", "earned")}
            self.draws.append({**mine, **own, **amounts, "position": position})
        postings = statement.postings
        self.sets.append(
            {
                "builder": statement.builder,
                "document_kind": STATEMENT,
                "document": reference,
                "closing_id": entry.closing_id,
                "tenant": statement.tenant,
                "period": statement.period.label,
                "period_start": statement.period.start,
                "posted_at": entry.recorded_at,
                **{name: [getattr(each, name) for each in postings] for name in _POSTING},
            }
        )
        for grant in statement.carried_over:
            reason = f"carried over by the closing of {statement.period.label}"
            record = GrantRecord(statement.builder, grant, "tollstream close", reason, entry.closing_id)
            self.grants.append(grant_row(record))
        self.sums = add_up([self.sums, {statement.currency: {name: getattr(totals, name) for name in SUMS}}])

    def tables(self) -> Iterable[tuple[str, pa.Table]]:
        """(table, rows), in the order of `TABLES`."""
        found: Mapping[str, tuple[Sequence[Mapping[str, Any]], pa.Schema]] = {
            "credit_grants": (self.grants, CREDIT_GRANTS),
            "credit_draws": (self.draws, CREDIT_DRAWS),
            "posting_sets": (self.sets, POSTING_SETS),
            "statement_lines": (self.lines, STATEMENT_LINES),
            "statements": (self.statements, STATEMENTS),
        }
        for name in TABLES:
            rows, schema = found[name]
            if rows:
                columns = [pa.array([row[each.name] for row in rows], type=each.type) for each in schema]
                yield name, pa.Table.from_arrays(columns, schema=schema)


_POSTING = ("account", "party", "currency", "refers_to", "amount")


def add_up(parts: Iterable[Mapping[str, Mapping[str, Decimal]]]) -> dict[str, dict[str, Decimal]]:
    """Sums by currency, exact."""
    found: dict[str, dict[str, Decimal]] = {}
    for part in parts:
        for currency, sums in part.items():
            held = found.setdefault(currency, dict.fromkeys(SUMS, Decimal(0)))
            for name, amount in sums.items():
                held[name] = EXACT.add(held[name], amount)
    return dict(sorted(found.items()))
