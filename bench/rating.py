"""What rating costs, by size of the books and number of tag sets: `make bench-rating`, ratios within one run.

The same blocks are rated in turn with a small book (as many entries as there are models in the traffic, one rule for
all) and with a large one (5,000 entries, 10,000 rules); and with prices that depend on prompt size and time of day.
Only the ratio means anything on a shared machine. Nothing is started; it ends by itself after a minute.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import click
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from billing.loading import parse_version
from billing.prices import PriceBook, PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBook, RuleBooks
from topics.block import DIMENSION_COLUMNS, DIMENSION_SCHEMA, QUANTITY_UNIT, USAGE_PREFIX

EVENTS = 50_000
BLOCKS = 4
START = datetime(2026, 3, 2, tzinfo=UTC)
DEFAULTS = {"mode": "standard", "route": "primary", "status": "completed", "usage_source": "provider"}
CONDITIONS = """
tiers = [{ above = 6000, meters = { input_tokens = { price = "5", per = 1000000 } } }]
hours = [{ from = "16:30", to = "00:30", meters = { output_tokens = { price = "8", per = 1000000 } } }]
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the answer."""

    name: str
    rater: Rater
    blocks: list[tuple[pl.DataFrame, pl.DataFrame]]


def price_book(entries: int, conditions: str = "") -> PriceBooks:
    """Models m0, m1, … of twenty providers."""
    lines = ['version = "bench"', "effective_from = 2026-01-01T00:00:00Z", 'currency = "USD"']
    lines += (
        f'[[prices]]\nprovider = "p{number % 20}"\nmodel = "m{number}"\nmeters = {{ '
        'input_tokens = { price = "2.5", per = 1000000 }, cached_input_tokens = { price = "0.25", per = 1000000 }, '
        f'output_tokens = {{ price = "10", per = 1000000 }} }}\n{conditions}'
        for number in range(entries)
    )
    return PriceBooks([parse_version("\n".join(lines), ".toml", "bench prices", PriceBook)])


def rule_book(rules: int) -> RuleBooks:
    """A markup for all, and for `rules` - 1 combinations of Builder, tenant and feature."""
    words = 'label = "AI usage"\nunit = "request"\nreason = "What the AI costs, plus a part."'
    lines = ['version = "bench"', "effective_from = 2026-01-01T00:00:00Z"]
    lines.append(f'[[rules]]\nid = "all"\nkind = "markup"\npercent = "25"\n{words}')
    for number in range(rules - 1):
        match = f'builder = "b{number % 10}", tenant = "t{number % 1000}", feature = "f{number // 1000}"'
        lines.append(
            f'[[rules]]\nid = "r{number}"\nkind = "markup"\npercent = "{number % 50}"\nmatch = {{ {match} }}\n{words}'
        )
    return RuleBooks([parse_version("\n".join(lines), ".toml", "bench rules", RuleBook)])


def block(tag_sets: int, models: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(events, dimensions) of EVENTS events of a day."""
    random = np.random.default_rng(seed)
    sets = []
    for number in range(tag_sets):
        model = int(random.integers(models))
        tags = {
            **DEFAULTS, "source": "/bench", "builder": f"b{number % 10}", "tenant": f"t{number % 1000}",
            "feature": f"f{int(random.integers(12))}", "provider": f"p{model % 20}", "model": f"m{model}",
        }  # fmt: skip
        sets.append([tags.get(name, "") for name in DIMENSION_COLUMNS])
    day = (START - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    columns = {
        "event_time": day + random.integers(0, 86_400 * 10**6, EVENTS),
        "dimension": pl.Series(random.integers(0, tag_sets, EVENTS), dtype=pl.UInt32),
    }
    for meter in ("cached_input_tokens", "input_tokens", "output_tokens"):
        columns[USAGE_PREFIX + meter] = random.integers(0, 5000, EVENTS) * QUANTITY_UNIT
    columns[USAGE_PREFIX + "requests"] = np.full(EVENTS, QUANTITY_UNIT)
    return pl.DataFrame(columns), pl.DataFrame(sets, schema=DIMENSION_SCHEMA, orient="row")


def cases() -> Iterator[Case]:
    """The first is what the others are compared with."""
    few = [block(300, 100, seed) for seed in range(BLOCKS)]
    many = [block(3000, 5000, seed) for seed in range(BLOCKS)]
    yield Case("100 entries, 1 rule, 300 tag sets a block", Rater(price_book(100), rule_book(1)), few)
    large = Rater(price_book(5000), rule_book(10_000))
    yield Case("5,000 entries, 10,000 rules, 300 tag sets a block", large, few)
    yield Case("5,000 entries, 10,000 rules, 3,000 tag sets a block", large, many)
    conditional = Rater(price_book(5000, CONDITIONS), rule_book(10_000))
    yield Case("the same with tiers and hours in every entry, 300 tag sets", conditional, few)


@click.command(epilog="Example: python -m bench.rating --rounds 9 --json")
@click.option(
    "--rounds", type=click.IntRange(1, 100), default=9, show_default=True, help="How often all blocks are rated."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(rounds: int, as_json: bool) -> None:
    """Microseconds an event for each size of the books, and how many times the first line's."""
    known = list(cases())
    seconds: dict[str, list[float]] = {case.name: [] for case in known}
    for number in range(rounds + 1):
        for case in known:
            began = time.perf_counter()
            for events, dimensions in case.blocks:
                case.rater.rate(events, dimensions)
            if number:  # the first round resolves terms
                seconds[case.name].append((time.perf_counter() - began) / (len(case.blocks) * EVENTS))
    first = seconds[known[0].name]
    lines = [
        {
            "case": name,
            "microseconds": round(statistics.median(taken) * 1e6, 3),
            "ratio": round(statistics.median(a / b for a, b in zip(taken, first, strict=True)), 3),
        }
        for name, taken in seconds.items()
    ]
    if as_json:
        click.echo(json.dumps({"events_a_block": EVENTS, "rounds": rounds, "cases": lines}))
        return
    table = Table("books and traffic", "µs an event (median)", "ratio to the first")
    for line in lines:
        table.add_row(*(str(value) for value in line.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
