"""The golden table of rating: events.txt under the books beside it; `make golden` writes it again."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from billing.prices import PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBooks
from tests.support.rating import frames
from tests.support.tables import read_table, write_table

HERE = Path(__file__).parent
TABLE = HERE / "events.txt"
TAGS = ("builder", "tenant", "feature", "workflow", "provider", "model", "mode", "region")
AMOUNTS = {
    "base": "base_cost",
    "reward": "provider_reward",
    "fee": "platform_fee",
    "charge": "customer_charge",
    "earnings": "builder_earnings",
}


def read() -> list[dict[str, str]]:
    """The rows as they stand."""
    return read_table(TABLE)


def rewrite() -> None:
    """Put what the rater says into the file."""
    write_table(TABLE, rated(read()))


def rated(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The same rows with what the rater says in the columns that it decides."""
    rater = Rater(PriceBooks.load(HERE / "prices"), RuleBooks.load(HERE / "rules"))
    events, dimensions = frames(
        [
            (
                datetime.fromisoformat(row["time"]),
                {name: row[name] for name in TAGS if row[name] != "-"},
                {meter: Decimal(number) for meter, number in (part.split("=") for part in row["usage"].split(","))},
            )
            for row in rows
        ]
    )
    answers = rater.rate(events, dimensions).to_dicts()
    return [
        {
            **row,
            "rule": answer["rule_id"] or "-",
            **{name: _text(answer[column]) for name, column in AMOUNTS.items()},
            "reason": answer["unpriced_reason"] or "-",
        }
        for row, answer in zip(rows, answers, strict=True)
    ]


def _text(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount:f}"
