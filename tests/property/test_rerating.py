"""Re-rating over the real meter: whatever was billed, corrected and re-rated before, the differences lead just there.

Each example is a history of one tenant's usage with voids, corrections by hand and earlier re-ratings, stored by the
real meter; then it is rated again with drawn books, the differences are published as adjustments, and stored as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rerating import CHANGES, COLUMNS, ByHand, Outcome, Rerater, Selection, billed_so_far, differences
from billing.windows import AMOUNT_COLUMNS
from sinks.memory_usage import MemoryUsage
from sinks.usage import UsageRange
from tests.simulation.books import START, rater, write_books
from tests.simulation.scheduler import run_straight
from tests.support.desk import Desk, adjustment, usage, void
from tollstream.demo.oracle import Published, compare, recompute
from topics.block import DIMENSION_COLUMNS
from topics.events import AdjustmentEvent, Amounts, AnyEvent, Pricing

NOW = START + timedelta(hours=40)
RANGE = UsageRange(START - timedelta(days=6), START + timedelta(days=6))
MODELS = ("small", "large", "fresh", "unheard-of", "")
EVENTS_MAX = 8
selections = st.builds(
    Selection,
    prices=st.sampled_from(("", "", "p1", "p2", "p3")),
    rules=st.sampled_from(("", "", "r1", "r2", "r3")),
    timeline=st.booleans(),
)


@st.composite
def histories(draw: st.DrawFn, currencies: Sequence[str] = ("USD",)) -> list[AnyEvent]:
    """Usage, some of it corrected; every correction has a target that stands before it."""
    count = draw(st.integers(1, EVENTS_MAX))
    builder = draw(st.sampled_from(("acme", "beta", "gamma")))
    owner = {"builder": builder, "tenant": "north"}
    events: list[AnyEvent] = [
        usage(
            f"e{number}",
            time=START + timedelta(seconds=draw(st.integers(-6 * 86_400, 40 * 3600))),
            model=draw(st.sampled_from(MODELS)),
            feature=draw(st.sampled_from(("", "free"))),
            usage=draw(
                st.dictionaries(
                    st.sampled_from(("input_tokens", "output_tokens", "requests")), st.integers(0, 10**6), min_size=1
                )
            ),
            **owner,
        )
        for number in range(count)
    ]
    for number in range(draw(st.integers(0, EVENTS_MAX))):
        target = f"e{draw(st.integers(0, count - 1))}"
        parts = [str(draw(st.decimals(-2, 2, places=12))) for _ in range(3)]
        kind = draw(st.sampled_from(("void", "by hand", "rerated", "rerated")))
        if kind == "void":
            events.append(void(target, f"v{number}", **owner))
            continue
        pricing = Pricing(
            price_version=draw(st.sampled_from(("p1", "p2", "p3"))),
            rule_version=draw(st.sampled_from(("r1", "r2", "r3"))),
            rule_id=draw(st.sampled_from(("up", "each"))),
            currency=draw(st.sampled_from(currencies)),
        )
        more: dict[str, Any] = {"pricing": pricing} if kind == "rerated" else {}
        reward, fee, earnings = parts
        events.append(adjustment(target, f"a{number}", reward, fee, earnings, **more, **owner))
    return [event.model_copy(update={"time": event.time if event.id[0] == "e" else NOW}) for event in events]


def stored(events: Sequence[AnyEvent]) -> Desk:
    desk = Desk(horizon=timedelta(days=30))
    run_straight(desk.take(*events, at=NOW))
    return desk


def rerated(desk: Desk, selection: Selection, by_hand: ByHand) -> pl.DataFrame:
    ledger = MemoryUsage(desk.sink.ledger)
    books = rater()
    rerater = Rerater(books.books, books.rules, selection)
    parts = []
    for portion in run_straight(ledger.plan_usage(RANGE)):
        answer = run_straight(ledger.read_usage(portion, DIMENSION_COLUMNS, COLUMNS))
        billed = billed_so_far(answer.rows, answer.dimensions)
        parts.append(differences(billed, rerater.rate(billed, answer.dimensions), by_hand))
    return pl.concat(parts, how="diagonal")


def corrections(changes: pl.DataFrame, run: str, builder: str) -> list[AdjustmentEvent]:
    return [
        AdjustmentEvent(
            id=f"{run}-{row['id']}",
            source="rerate",
            time=NOW,
            builder=builder,
            tenant="north",
            target_source="gateway-1",
            target_id=row["id"],
            reason="again",
            amounts=Amounts(**{name: row[f"difference.{name}"] for name in AMOUNT_COLUMNS}),
            pricing=Pricing(**{name: row[f"new.{name}"] for name in Pricing.model_fields}),
        )
        for row in changes.filter(pl.col("outcome").is_in([str(each) for each in CHANGES])).to_dicts()
    ]


def sums(desk: Desk) -> dict[str, dict[str, Decimal]]:
    """By event: what its row and all corrections come to."""
    found: dict[str, dict[str, Decimal]] = {}
    names = {(row["identity_high"], row["identity_low"]): row["id"] for row in desk.rows() if row["kind"] == "usage"}
    with localcontext(prec=60):
        for row in desk.rows():
            own = (row["identity_high"], row["identity_low"])
            name = names[own if row["kind"] == "usage" else (row["target_high"], row["target_low"])]
            event = found.setdefault(name, dict.fromkeys(AMOUNT_COLUMNS, Decimal(0)))
            for column in AMOUNT_COLUMNS:
                event[column] += row[column] or 0
    return found


@given(events=histories(), selection=selections, by_hand=st.sampled_from(list(ByHand)))
@settings(max_examples=60)
def test_applied_differences_give_exactly_the_new_rating_and_a_second_time_there_are_none(
    events: list[AnyEvent], selection: Selection, by_hand: ByHand
) -> None:
    desk = stored(events)
    before = sums(desk)
    changes = rerated(desk, selection, by_hand)
    assert changes.height == len({row["id"] for row in changes.to_dicts()})
    voided = {row["id"] for row in desk.rows() if row["kind"] == "usage"} - set(changes["id"])
    published = corrections(changes, "x", events[0].builder)
    assert set(run_straight(desk.take(*published, at=NOW)) if published else []) <= {"accepted"}
    after = sums(desk)
    for row in changes.to_dicts():
        name, outcome = row["id"], Outcome(row["outcome"])
        if outcome not in (*CHANGES, Outcome.SAME):
            assert after[name] == before[name], row
            continue
        for column in AMOUNT_COLUMNS:
            by_rating = row[f"new.{column}"]
            kept = row[f"by_hand.{column}"] if by_hand is ByHand.KEEP else Decimal(0)
            with localcontext(prec=60):
                assert after[name][column] == by_rating + kept, (column, row)
            if outcome in CHANGES:
                assert row[f"before.{column}"] == before[name][column]
                assert row[f"after.{column}"] == after[name][column]
    assert all(after[name] == dict.fromkeys(AMOUNT_COLUMNS, Decimal(0)) for name in voided)
    again = rerated(desk, selection, by_hand)
    assert corrections(again, "y", events[0].builder) == []
    assert {row["id"] for row in again.to_dicts()} == set(changes["id"])


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_books(tmp_path_factory.mktemp("books"))


@given(events=histories(currencies=("USD", "USD", "EUR")))
@settings(max_examples=60)
def test_the_demos_oracle_comes_to_the_same_rows_and_totals(books: tuple[Path, Path], events: list[AnyEvent]) -> None:
    """It shares no code with the meter: voids, corrections by hand and re-ratings in any order."""
    desk = stored(events)
    log = [
        Published(0, each.offset, 0, each.timestamp * 1000, (each.key or b"").decode(), (each.value or b"").decode())
        for each in desk.log
    ]
    result = recompute(log, *books, window_seconds=3600, horizon_seconds=30 * 86_400)
    found = compare(
        result,
        totals=desk.sink.totals.to_dicts(),
        ledger=desk.rows(),
        dead_letters=desk.sink.dead_letters.to_dicts(),
    )
    assert found.equal, found.differences
