"""The page of a line: as wide as the terminal lets it be, and its sums whatever is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import EXACT
from sinks.lines import Line, LineSums, Origin, Sums, WindowSums, add
from sinks.tables import AMOUNTS
from tollstream.explanation.answers import LineAnswer
from tollstream.explanation.document import line_document
from tollstream.explanation.layout import WIDTH
from tollstream.explanation.line_text import line_text
from topics.meters import load_catalogue

START = datetime(2026, 10, 1, tzinfo=UTC)


def sums(charge: int, rows: int = 1, unpriced: int = 0) -> Sums:
    """Of a charge in the smallest unit there is, split into reward, fee and earnings."""
    parts = {"provider_reward": charge // 2, "platform_fee": charge // 5}
    parts |= {"builder_earnings": charge - sum(parts.values()), "customer_charge": charge}
    return Sums(
        rows,
        rows,
        unpriced,
        {name: EXACT.scaleb(Decimal(parts[name]), -12) for name in AMOUNTS},
        {"pages": Decimal(rows)},
    )


def answer(charges: list[int], *, skip: int = 0, limit: int | None = None, currency: str = "USD") -> LineAnswer:
    windows = tuple(
        WindowSums(START + timedelta(hours=hour), currency, sums(charge), sums(charge), sums(0, 0))
        for hour, charge in enumerate(charges)
    )
    origin = Origin(currency, "p1", "r1", "markup", "rated", add(each.ledger for each in windows))
    line = Line("acme", "globex", START, START + timedelta(days=31))
    return LineAnswer(line, LineSums(windows, (origin,)), None, skip, limit, load_catalogue())


def column(page: str, place: int = -1) -> list[Decimal]:
    """The amounts of one column of the table of windows: what stands above its line, then what stands under it."""
    rows = [line.rsplit("  ", -place)[place].split()[0] for line in page.split("\n\n")[1].splitlines()[1:]]
    return [Decimal(each) for each in rows if not each.startswith("─")]


@pytest.mark.parametrize(("width", "columns"), [(WIDTH, 1), (160, 4)])
def test_the_split_of_each_window_is_shown_where_there_is_room(width: int, columns: int) -> None:
    page = line_text(answer([10**12, 2 * 10**12]), width=width)
    heading = next(line for line in page.splitlines() if line.startswith("window starts"))
    names = ["customer charge", "provider reward", "platform fee", "Builder earnings"]
    assert [name for name in names if name in heading] == names[:columns]
    assert all(len(line) <= width for line in page.splitlines())


@given(
    st.lists(st.integers(-(10**15), 10**30), min_size=1, max_size=30), st.integers(0, 40),
    st.none() | st.integers(1, 40),
)  # fmt: skip
def test_what_is_shown_and_what_is_left_out_add_up_to_the_last_row(
    charges: list[int], skip: int, limit: int | None
) -> None:
    page = line_text(answer(charges, skip=skip, limit=limit))
    *shown, whole = column(page)
    assert [each.as_tuple().exponent for each in shown] == [-12] * len(shown)
    steps = [int(f"{each:f}".replace(".", "")) for each in shown]
    assert sum(steps) == sum(charges) == int(f"{whole:f}".replace(".", ""))


def test_the_document_has_every_window_whatever_the_page_shows() -> None:
    document = line_document(answer([1, 2, 3], skip=1, limit=1))
    assert [each["totals"]["customer_charge"] for each in document["windows"]] == [
        "0.000000000001", "0.000000000002", "0.000000000003",
    ]  # fmt: skip
    assert document["sums"]["USD"]["ledger"]["customer_charge"] == "0.000000000006"


def test_usage_without_a_currency_is_not_called_money() -> None:
    page = line_text(answer([0], currency=""))
    assert "pays 0.000000000000 (no currency) from" in page


def test_events_that_wait_are_counted_in_words() -> None:
    one = answer([5])
    waiting = WindowSums(START, "USD", sums(0, 3, 2), sums(0, 3, 2), sums(0, 0))
    page = line_text(LineAnswer(one.line, LineSums((waiting,), ()), None, 0, None, one.catalogue))
    assert "3 events; 2 of them wait for a price." in page.replace("\n", " ")
