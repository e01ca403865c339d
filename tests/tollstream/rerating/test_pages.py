"""The pages of a re-rating: amounts in full, every number in one piece, nothing beyond 80 columns but a long name."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.rerating import Outcome
from sinks.rerates import PLANNED, PUBLISHED, Rerate, Rerates
from tollstream.rerating.pages import hints, history_text, result_text
from tollstream.rerating.request import FIRST, LAST, Request
from tollstream.rerating.run import Result
from tollstream.rerating.summary import Line, Summary

MARCH = datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=UTC)


def line(before: str, after: str, events: int = 1, later: int = 0) -> Line:
    """All of it the provider's."""
    sides = [[Decimal(amount), Decimal(amount), Decimal(0), Decimal(0)] for amount in (before, after)]
    change = [new - old for old, new in zip(*sides, strict=True)]
    return Line(events, later, before=sides[0], after=sides[1], difference=change)


def summary(**lines: Line) -> Summary:
    made = Summary(lines={("acme", name, "northwind", f"nova-{name}", "USD"): each for name, each in lines.items()})
    made.outcomes[Outcome.CHANGED] = sum(each.events for each in lines.values())
    return made


def page(made: Summary, lines_max: int = 40) -> str:
    text = result_text(Result(Request(), made), lines_max)
    assert max(map(len, text.splitlines())) <= 80, text
    return text


def test_each_line_says_what_it_was_and_comes_to_and_the_largest_difference_stands_first() -> None:
    text = page(summary(north=line("0.06375", "0.05625"), south=line("1", "3.5", 1200)))
    assert "acme/south, northwind / nova-south: 1,200 events, USD" in text
    assert re.search(r"1\.000000000000 → 3\.500000000000 +\+2\.500000000000\n", text)
    assert re.search(r"0\.063750000000 → 0\.056250000000 +-0\.007500000000\n", text)
    assert text.index("acme/south") < text.index("acme/north")
    assert re.search(r"customer charge +1\.063750000000 +3\.556250000000 +\+2\.492500000000\n", text)
    assert "0 events billed as now, 1,201 would be billed otherwise, 0 waited for a price" in text


@pytest.mark.parametrize("digits", [1, 5, 9, 15])
def test_numbers_of_any_length_stay_in_one_piece(digits: int) -> None:
    before, after = f"{'9' * digits}.123456789012", f"-{'8' * digits}.987654321098"
    text = page(summary(north=line(before, after, 10**9), **{"x" * 60: line(after, before, 10**9)}))
    change = f"{Decimal(after) - Decimal(before):+}"
    for number in (before, after, change, "1,000,000,000 events"):
        assert number in text, text
    assert "…" not in text


def test_of_many_lines_the_first_are_shown_and_the_others_counted() -> None:
    made = summary(**{f"t{number}": line("0", str(number)) for number in range(1, 6)})
    text = page(made, 2)
    assert [name for name in ("t5", "t4", "t3", "t2", "t1") if f"acme/{name}," in text] == ["t5", "t4"]
    assert "… and 3 more lines: --lines N shows more" in text


def test_what_is_left_alone_is_told_by_why_with_how_much() -> None:
    made = summary()
    made.left[Outcome.UNRATED, "no_price", "northwind", "nova-2", "batch", "eu"] = 1
    made.left[Outcome.WAITING, "no_price", "northwind", "nova-3", "standard", ""] = 12_345
    made.left[Outcome.WAITING, "no_model", "", "", "standard", ""] = 2
    text = page(made)
    assert re.search(r"Still waiting for a price:\n  standard, no_model +2 events\n", text)
    assert re.search(r"  northwind / nova-3 / standard, no_price +12,345 events\n", text)
    assert re.search(r"so it stays as it is:\n  northwind / nova-2 / batch / eu, no_price +1 event\n", text)
    assert "In total" not in text
    assert "Changes" not in text


def test_a_retroactive_version_that_would_price_what_waits_is_named() -> None:
    made = summary()
    made.retroactive.update({("rules", "r9"): 1, ("prices", "p2"): 1200})
    used = "It is retroactive, and used only where it is named: "
    sentences = [
        f"Version p2 of the prices would price 1,200 events that still wait. {used}--prices p2.",
        f"Version r9 of the rules would price 1 event that still waits. {used}--rules r9.",
    ]
    assert hints(made) == sentences
    assert " ".join(page(made).split()).endswith(" ".join(sentences))


def test_the_history_has_a_paragraph_for_each_re_rating() -> None:
    plan = Rerate(
        rerate_id="0123456789abcdef", state=PLANNED, by="ada", reason="why " * 40, topic_epoch=1, event_time_from=FIRST,
        event_time_to=LAST, builder="", tenant="", unpriced=True, prices="", rules="", timeline=False, by_hand="leave",
        events=1234, differences={"USD": {"customer_charge": Decimal("123456789.000000000001")}}, sequence=1,
        recorded_at=MARCH,
    )  # fmt: skip
    other = replace(
        plan, rerate_id="b", sequence=3, unpriced=False, event_time_from=MARCH, builder="acme", tenant="north",
        prices="p2", rules="r2", timeline=True, differences={},
    )  # fmt: skip
    text = history_text(Rerates((plan, replace(plan, state=PUBLISHED, sequence=2), other), MARCH))
    assert max(map(len, text.splitlines())) <= 80, text
    for words in (
        "2 re-ratings", "0123456789abcdef, published", "planned     2026-03-01T12:30:00Z by ada: why why",
        "usage       all, unpriced only", "books       as rated", "publishes   1,234 adjustments",
        "+123456789.000000000001", "b, planned", "usage       acme/north, 2026-03-01T12:30:00.123456Z to",
        "books       prices p2, rules r2, timeline",
    ):  # fmt: skip
        assert words in text, text
    assert history_text(Rerates((), MARCH)) == "0 re-ratings"
