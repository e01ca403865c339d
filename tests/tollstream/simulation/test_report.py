"""What is told of a comparison: in which order, in how much detail, and nothing twice."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from rich.console import Console

from billing.simulation import Outcome
from sinks.usage import UsageRange
from tests.support.rows import Row
from tests.support.trial import EVERYTHING, LEDGER, PRICES, event, rater, simulation
from tollstream.simulation.bars import Scale, difference, pair, stack
from tollstream.simulation.books import TrialBooks
from tollstream.simulation.page import page
from tollstream.simulation.report import Report, as_json, by_earnings, pay_less, pay_more
from tollstream.simulation.sections import SHOWN
from tollstream.simulation.table import print_report

MONTH = UsageRange(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
WRITTEN = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)


def report(ledger: Sequence[Row] = EVERYTHING, usage: UsageRange = MONTH) -> Report:
    using = rater()
    books = TrialBooks(using.books, using.rules, None, using.rules.versions[0])
    return Report(usage, books, simulation(ledger, using))


def many(tenants: int) -> list[Row]:
    """Every other tenant would pay more, the others less; the difference grows with the number."""
    return [
        event(
            n, 100, "1.00", tenant=f"t{n:03d}", feature=f"f{n:03d}", customer_charge=f"{2 + (-1) ** n * n / 1000:.3f}"
        )
        for n in range(1, tenants + 1)
    ]


def test_winners_and_losers_are_sorted_by_how_much() -> None:
    found = simulation(many(6)).tenants
    assert [line.key[1] for line in pay_more(found)] == ["t005", "t003", "t001"]
    assert [line.key[1] for line in pay_less(found)] == ["t006", "t004", "t002"]


def test_negative_earnings_come_first_then_the_largest_loss() -> None:
    keys = [line.key for line in by_earnings(simulation(EVERYTHING).features)]
    assert keys == [("acme", "search"), ("globex", ""), ("acme", "report"), ("acme", "chat")]


def test_json_has_every_line_with_twelve_places_and_is_json() -> None:
    found = json.loads(json.dumps(as_json(report())))
    assert (found["from"], found["to"], found["builder"]) == (
        "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00", None,
    )  # fmt: skip
    assert found["books"] == [
        {"kind": "rules", "version": "new", "new": True}, {"kind": "prices", "version": "p", "new": False},
    ]  # fmt: skip
    assert found["events"] == {"read": 11, **dict.fromkeys(map(str, Outcome), 1), "compared": 6}
    [total] = found["totals"]
    assert total["change"]["customer_charge"] == "0.050000000000"
    assert total["change_percent"] == "0.4"
    north, south, east = found["tenants"]
    assert (north["tenant"], north["change"]["customer_charge"], north["change_percent"]) == (
        "north", "2.250000000000", "39.1",
    )  # fmt: skip
    assert (south["tenant"], east["tenant"], east["change_percent"]) == ("south", "<b>east & co</b>", "-60.0")
    assert found["features"][0]["after"]["builder_earnings"] == "-0.700000000000"
    assert found["features"][0]["change_percent"] is None  # of a charge of 0
    assert {line["rule_id"] for line in found["rules"]} == {"half", "free", "double", "reports", "searches"}


def test_json_has_no_amounts_where_there_is_no_price() -> None:
    left = {each["outcome"]: each for each in as_json(report())["left_out"]}
    assert left["unpriced_after"]["before"]["customer_charge"] == "1.500000000000"
    assert left["unpriced_after"]["after"] is None
    assert left["unpriced_before"]["before"] is None
    assert left["unpriced_before"]["after"]["customer_charge"] == "2.000000000000"
    assert left["unpriced"]["before"] is left["unpriced"]["after"] is left["voided"]["before"] is None
    assert (left["other_currency"]["currency_before"], left["other_currency"]["currency_after"]) == ("EUR", "USD")


def printed(ledger: Sequence[Row] = EVERYTHING, top: int = 10, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    print_report(console, report(ledger), top)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_table_fits_eighty_columns_and_says_what_is_left_out() -> None:
    lines = printed()
    assert max(map(len, lines)) <= 80
    text = re.sub(r"\s+", " ", " ".join(lines))
    for sentence in (
        "Builders earn 5.25 5.30 +0.05 +1.0 %",
        "Tenants: 2 would pay more, 1 less, 0 the same",
        "globex <b>east & co</b> 5.00 2.00 −3.00 −60.0 %",
        "1 less than nothing",
        "globex (none) 4.00 1.00 −3.00 −75.0 %",
        "half 5 → 0 12.25 0.00 −12.25",
        "1 event charged so far, but would wait for a price 1: Builder acme, feature chat, model orange/gone",
        "1 event waiting for a price so far, but would have one",
        "1 event waiting for a price so far, and still would",
        "1 event charged in one currency, but would be in another",
        "1 event taken back by a void",
    ):
        assert sentence in text


def test_the_table_cuts_long_names_and_never_a_figure() -> None:
    long = event(1, 10**9, "10000000.00", builder="b" * 200, tenant="t" * 200, feature="f" * 200)
    lines = printed([long])
    assert max(map(len, lines)) <= 80
    assert any("15,000,000.00  20,000,000.00  +5,000,000.00  +33.3 %" in line for line in lines)


def test_lines_beyond_the_top_are_counted() -> None:
    assert printed(many(30), top=4).count("and 11 more") == 2  # 15 who pay more, 15 who pay less
    assert "and 11 more" not in printed(many(30), top=15)


def test_a_range_without_usage_says_so() -> None:
    assert "There is no usage in this range: nothing to compare." in printed([])
    assert "There is no usage in this range." in page(report([]), WRITTEN)


class _Reader(HTMLParser):
    """Collects text, and refuses what is not balanced, what runs, and what loads."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe", "object", "form"), tag
        for name, value in attrs:
            assert name not in ("src", "href"), (tag, value)
            assert not name.startswith("on"), (tag, name)
        if tag not in ("meta", "rect", "line"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("rect", "line")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def read(html: str) -> str:
    reader = _Reader()
    reader.feed(html)
    assert reader.open == []
    return re.sub(r"\s+", " ", " ".join(reader.said))


def test_the_page_is_whole_loads_nothing_and_shows_names_as_text() -> None:
    html = page(report(), WRITTEN)
    said = read(html)
    assert "<b>east & co</b>" in said  # as text: the reader would have met the element
    assert "url(" not in html
    assert "@import" not in html
    for sentence in (
        "What rules new would change",
        "6 of 11 usage events from 2026-01-01 to 2026-02-01 (UTC), all Builders",
        "Tenants would pay 0.05 USD more (+0.4 %): 2 of 3 tenants more, 1 less.",
        "1 of 4 features would earn less than nothing.",
        "Left out of both sides",
        "1 event charged so far, but would wait for a price",
        "Written 2026-02-03 04:05 UTC",
    ):
        assert sentence in said


def test_every_figure_of_a_bar_stands_beside_it_as_text() -> None:
    said = read(page(report(), WRITTEN))
    assert "acme · north 5.75 8.00 +2.25 +39.1 %" in said
    assert "acme · search below zero −1.00 −0.70 +0.30 –" in said


def test_a_long_list_shows_both_ends_and_has_all_of_it_folded_away() -> None:
    said = read(page(report(many(2 * SHOWN + 8)), WRITTEN))
    assert "8 tenants not shown here" in said
    first, last = said.index("t037"), said.index("t038")  # who would pay most more, and who most less
    assert first < said.index("t035") < last
    everybody = said[said.index("All 38 tenants") :]
    assert all(f"t{number:03d}" in everybody for number in range(1, 39))


def test_each_currency_has_sums_of_its_own() -> None:
    html = page(report([*LEDGER]), WRITTEN)
    assert "In USD" not in html
    using = rater()
    both = simulation(LEDGER, using)
    euros = simulation([event(1, 100, "1.00", currency="EUR")], rater(PRICES.replace("USD", "EUR")))
    together = Report(
        MONTH,
        TrialBooks(using.books, using.rules, None, using.rules.versions[0]),
        type(both)(
            **{
                name: (*getattr(both, name), *getattr(euros, name))
                for name in ("totals", "tenants", "features", "models", "rules", "left_out")
            },
            events=both.events,
        ),
    )
    said = read(page(together, WRITTEN))
    assert said.index("In USD") < said.index("10.30 USD") < said.index("In EUR") < said.index("2.000000 EUR")
    assert "12.30" not in said


def test_where_somebodys_part_is_negative_no_bar_claims_to_be_the_whole() -> None:
    assert "Where the charge goes" in page(report(), WRITTEN)
    loss = event(4, 100, "1.00", feature="search", customer_charge="0.00")
    assert "Where the charge goes" not in page(report([loss]), WRITTEN)


def test_a_scale_holds_all_amounts_with_zero_among_them() -> None:
    scale = Scale.over(map(Decimal, ("-1", "3")))
    assert [scale.at(Decimal(amount)) for amount in (-1, 0, 1, 3)] == [0, 25, 50, 100]
    centred = Scale.over(map(Decimal, ("-1", "3")), centred=True)
    assert [centred.at(Decimal(amount)) for amount in (-3, 0, 3)] == [0, 50, 100]
    assert Scale.over([]).at(Decimal(0)) == 0


def test_bars_start_at_zero_and_the_smallest_is_seen() -> None:
    scale = Scale.over(map(Decimal, ("-1", "3")))
    assert 'x="25.00" y="2" width="75.00"' in pair(scale, Decimal(3), Decimal(-1))
    assert 'x="0.00" y="11" width="25.00"' in pair(scale, Decimal(3), Decimal(-1))
    assert 'width="0.40"' in difference(scale, Decimal("0.000001"), "worse")
    assert 'width="0.00"' in difference(scale, Decimal(0), "worse")
    assert re.findall(r'x="([\d.]+)"', stack(scale, [("a", Decimal(1)), ("b", Decimal(2))])) == ["25.00", "50.00"]


@pytest.mark.parametrize("builder", ["", "acme"])
def test_the_headline_says_whose_usage_it_is(builder: str) -> None:
    whose = "Builder acme" if builder else "all Builders"
    assert whose in read(page(report(usage=UsageRange(MONTH.start, MONTH.end, builder)), WRITTEN))
