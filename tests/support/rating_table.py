"""Golden tables of rating: a folder with events.txt and the books beside it; `make golden` writes the table again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from billing.prices import PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBooks
from tests.support.rating import DEFAULTS, frames
from tests.support.tables import read_table, write_table
from tollstream.demo.oracle.books import Books
from tollstream.demo.oracle.events import TAGS, Event
from topics.block import DIMENSION_COLUMNS
from topics.meters import load_catalogue

AMOUNTS = {
    "base": "base_cost",
    "reward": "provider_reward",
    "fee": "platform_fee",
    "charge": "customer_charge",
    "earnings": "builder_earnings",
}
ORACLE_AMOUNTS = ("charge", "reward", "fee", "earnings")
METERS = {name: meter.kind for name, meter in load_catalogue().items()}
TagsTimeUsage = tuple[datetime, dict[str, str], dict[str, Decimal]]


def read(folder: Path) -> list[dict[str, str]]:
    """The rows as they stand."""
    return read_table(folder / "events.txt")


def rewrite(folder: Path) -> None:
    """Put what the rater says into the file."""
    write_table(folder / "events.txt", rated(folder, read(folder)))


def rater(folder: Path) -> Rater:
    """With the books of the folder."""
    return Rater(PriceBooks.load(_books(folder, "prices")), RuleBooks.load(_books(folder, "rules")))


def _books(folder: Path, kind: str) -> Path:
    return folder / kind if (folder / kind).is_dir() else folder / f"{kind}.toml"


def _event(row: Mapping[str, str]) -> TagsTimeUsage:
    tags = {"requested_model" if name == "requested" else name: text for name, text in row.items() if text != "-"}
    usage = (part.split("=") for part in row["usage"].split(","))
    return (
        datetime.fromisoformat(row["time"]),
        {name: text for name, text in tags.items() if name in DIMENSION_COLUMNS},
        {meter: Decimal(number) for meter, number in usage},
    )


def rated(folder: Path, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The same rows with what the rater says in the columns that it decides."""
    answers = rater(folder).rate(*frames([_event(row) for row in rows])).to_dicts()
    return [
        {
            **row,
            "rule": answer["rule_id"] or "-",
            **{name: _text(answer[column]) for name, column in AMOUNTS.items() if name in row},
            "reason": answer["unpriced_reason"] or "-",
        }
        for row, answer in zip(rows, answers, strict=True)
    ]


def judged(folder: Path, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The same rows with what the oracle says, which shares no code with the rater."""
    oracle = Books.load(_books(folder, "prices"), _books(folder, "rules"), METERS)
    judged = []
    for row in rows:
        time, tags, usage = _event(row)
        answer = oracle.rate(oracle_event(time, tags, usage))
        amounts = dict(zip(ORACLE_AMOUNTS, answer.amounts or [None] * 4, strict=True))
        reward, fee = amounts["reward"], amounts["fee"]
        amounts["base"] = None if reward is None or fee is None else reward + fee
        judged.append(
            {
                **row,
                "rule": answer.rule_id or "-",
                **{name: _text(amounts[name]) for name in AMOUNTS if name in row},
                "reason": answer.unpriced_reason or "-",
            }
        )
    return judged


def oracle_event(time: datetime, tags: Mapping[str, str], usage: Mapping[str, Decimal]) -> Event:
    """A usage event as the oracle takes it."""
    full = {name: {**DEFAULTS, **tags}.get(name, "") for name in TAGS}
    moment = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return Event("usage", "/s", "1", moment, tuple(full.items()), tuple(sorted(usage.items())), None, (), "")


def _text(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount:.12f}"
