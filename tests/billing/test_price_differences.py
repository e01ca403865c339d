"""The difference of two price books: what each served name would cost, and what nobody should publish unread."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from billing.prices.book import PriceBook
from billing.prices.differences import PriceChange, compare


def _entry(model: str = "m", meters: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"provider": "p", "model": model, "meters": meters or {"input_tokens": "0.000002"}, **more}


def _book(*entries: dict[str, Any], **fields: Any) -> PriceBook:
    head = {"version": "1", "effective_from": "2026-12-01T00:00:00Z", "currency": "USD"}
    return PriceBook.model_validate({**head, **fields, "prices": list(entries)})


def _words(old: PriceBook | None, new: PriceBook) -> list[str]:
    return [change.words for change in compare(old, new).changes]


def test_equal_books_differ_in_nothing_whatever_order_and_unit_they_are_written_in() -> None:
    one = _book(_entry("a"), _entry("b", {"input_tokens": "0.000003", "output_tokens": "0.000004"}))
    other = _book(
        _entry("b", {"output_tokens": "0.000004", "input_tokens": {"price": "3", "per": 1000000}}),  # type: ignore[dict-item]
        _entry("a"),
        version="2",
    )
    assert compare(one, other).empty
    assert compare(one, other).dangers == []


def test_without_an_old_book_everything_is_added_and_nothing_is_dangerous() -> None:
    difference = compare(None, _book(_entry("a"), _entry("b", {"input_tokens": "0"})))
    assert [change.kind for change in difference.changes] == ["added", "added"]
    assert (difference.counts, difference.dangers) == ({"added": 2, "removed": 0, "changed": 0}, [])
    assert (difference.entries_before, difference.entries_after) == (0, 2)


def test_a_change_tells_old_new_and_ratio() -> None:
    old = _book(_entry(meters={"input_tokens": "0.000002", "output_tokens": "0.00001"}, mode="batch", region="eu"))
    new = _book(_entry(meters={"input_tokens": "0.000003", "reasoning_tokens": "0.00001"}, mode="batch", region="eu"))
    assert _words(old, new) == [
        "changed p / m / batch / eu, input_tokens: 0.000002 -> 0.000003 (x1.5)",
        "removed p / m / batch / eu, output_tokens: 0.00001 -> none",
        "added p / m / batch / eu, reasoning_tokens: none -> 0.00001",
    ]
    assert compare(old, new).changes[0].record() == {
        "kind": "changed",
        "provider": "p",
        "model": "m",
        "mode": "batch",
        "region": "eu",
        "condition": "",
        "meter": "input_tokens",
        "old": "0.000002",
        "new": "0.000003",
        "ratio": "1.5",
    }


TIER = {"above": 200000, "meters": {"input_tokens": "0.000004"}}
HOURS = {"from": "16:30", "to": "00:30", "meters": {"input_tokens": "0.000001"}}


def test_an_added_tier_shows_as_the_change_it_makes_for_prompts_beyond_it() -> None:
    assert _words(_book(_entry()), _book(_entry(tiers=[TIER]))) == [
        "changed p / m / standard, above 200000, input_tokens: 0.000002 -> 0.000004 (x2)"
    ]
    assert _words(_book(_entry(tiers=[TIER])), _book(_entry())) == [
        "changed p / m / standard, above 200000, input_tokens: 0.000004 -> 0.000002 (x0.5)"
    ]


def test_a_tier_that_states_what_applied_anyway_is_no_change() -> None:
    same = {"above": 200000, "meters": {"input_tokens": "0.000002"}}
    assert compare(_book(_entry()), _book(_entry(tiers=[same]))).empty


def test_a_tier_that_begins_one_token_earlier_changes_that_token() -> None:
    """The only prompts that cost something else have exactly 200000 tokens."""
    earlier = {"from": 200000, "meters": {"input_tokens": "0.000004"}}
    assert _words(_book(_entry(tiers=[TIER])), _book(_entry(tiers=[earlier]))) == [
        "changed p / m / standard, from 200000, input_tokens: 0.000002 -> 0.000004 (x2)"
    ]


def test_hours_are_compared_with_what_applies_without_them() -> None:
    assert _words(_book(_entry(tiers=[TIER])), _book(_entry(tiers=[TIER], hours=[HOURS]))) == [
        "changed p / m / standard, 16:30 to 00:30 UTC, input_tokens: 0.000002 -> 0.000001 (x0.5)",
        "changed p / m / standard, 16:30 to 00:30 UTC, above 200000, input_tokens: 0.000004 -> 0.000001 (x0.25)",
    ]


def test_a_new_base_price_is_told_once_and_not_again_for_hours_that_do_not_name_the_meter() -> None:
    hours = {"from": "16:30", "to": "00:30", "meters": {"output_tokens": "0.000001"}}
    meters = {"input_tokens": "0.000002", "output_tokens": "0.000002"}
    old, new = (
        _book(_entry(meters=meters, hours=[hours])),
        _book(_entry(meters={**meters, "input_tokens": "0.000003"}, hours=[hours])),
    )
    assert _words(old, new) == ["changed p / m / standard, input_tokens: 0.000002 -> 0.000003 (x1.5)"]


def test_a_tier_of_hours_has_a_line_of_its_own() -> None:
    inner = {**HOURS, "tiers": [{"above": 200000, "meters": {"input_tokens": "0.000003"}}]}
    assert _words(_book(_entry(hours=[HOURS])), _book(_entry(hours=[inner]))) == [
        "changed p / m / standard, 16:30 to 00:30 UTC, above 200000, input_tokens: 0.000001 -> 0.000003 (x3)"
    ]


def test_a_name_that_becomes_an_alias_changes_by_what_it_costs_now() -> None:
    old = _book(_entry("m"), _entry("m-2026-08", {"input_tokens": "0.000003"}))
    new = _book(_entry("m"), aliases=[{"provider": "p", "model": "m", "names": ["m-2026-08"]}])
    difference = compare(old, new)
    assert [change.words for change in difference.changes] == [
        "changed p / m-2026-08 / standard, input_tokens: 0.000003 -> 0.000002 (x0.666667)"
    ]
    assert difference.terms == ("alias p / m-2026-08: none -> m",)


def test_an_alias_that_points_to_another_model_changes_by_that_models_price() -> None:
    models = (_entry("a", {"input_tokens": "0.000001"}), _entry("b", {"input_tokens": "0.00002"}))
    old = _book(*models, aliases=[{"provider": "p", "model": "a", "names": ["latest"]}])
    new = _book(*models, aliases=[{"provider": "p", "model": "b", "names": ["latest"]}])
    difference = compare(old, new)
    assert [change.words for change in difference.changes] == [
        "changed p / latest / standard, input_tokens: 0.000001 -> 0.00002 (x20)"
    ]
    assert difference.dangers == ["p / latest / standard, input_tokens: 0.000001 -> 0.00002, 10 times as much or more"]


def test_an_alias_is_not_listed_beside_the_model_it_stands_for() -> None:
    aliases = [{"provider": "p", "model": "m", "names": ["m-1", "m-2"]}]
    old, new = _book(_entry(), aliases=aliases), _book(_entry(meters={"input_tokens": "0.000003"}), aliases=aliases)
    assert len(_words(old, new)) == 1


def test_shares_multipliers_and_the_currency_are_terms() -> None:
    old = _book(_entry(), rewards=[{"provider": "p", "share": "0.7"}])
    regions = [{"provider": "p", "region": "eu", "multiplier": "1.1", "models": ["m"]}]
    new = _book(_entry(), currency="EUR", default_reward_share="0.6", regions=regions)
    assert compare(old, new).terms == (
        "currency: USD -> EUR",
        "reward share of all other providers: 0.70 -> 0.6",
        "reward share of p: 0.7 -> none",
        "multiplier of p / eu / m: none -> 1.1",
    )
    assert compare(old, new).dangers == [
        "the currency would be EUR in place of USD: every price would mean something else"
    ]


@pytest.mark.parametrize(
    ("old", "new", "danger"),
    [
        ("0.000002", "0.000019999999", None),
        ("0.000002", "0.00002", "0.000002 -> 0.00002, 10 times as much or more"),
        ("0.00002", "0.000002", "0.00002 -> 0.000002, a tenth or less"),
        ("0.00002", "0.000002000001", None),
        ("0.000002", "0", "0.000002 -> 0, becomes free"),
        ("0", "0.000000000001", "0 -> 0.000000000001, no longer free"),
        ("0", "0.0", None),
    ],
)
def test_a_move_by_ten_or_from_or_to_nothing_is_a_danger(old: str, new: str, danger: str | None) -> None:
    found = compare(_book(_entry(meters={"input_tokens": old})), _book(_entry(meters={"input_tokens": new}))).dangers
    assert found == ([] if danger is None else [f"p / m / standard, input_tokens: {danger}"])


@pytest.mark.parametrize(
    ("before", "after", "refused"), [(4, 3, False), (5, 3, False), (4, 2, True), (5, 2, True), (1, 1, False)]
)
def test_half_a_book_gone_is_a_danger(before: int, after: int, refused: bool) -> None:
    found = compare(
        _book(*(_entry(f"m{n}") for n in range(before))), _book(*(_entry(f"m{n}") for n in range(after)))
    ).dangers
    sentence = f"the book would shrink from {before} entries to {after}: half of it or more would be gone"
    assert found == ([sentence] if refused else [])


def test_entries_that_lose_half_of_their_prices_are_a_danger_too() -> None:
    many = {f"generated_images_{n}": "0.1" for n in range(6)}
    found = compare(_book(_entry(meters=many)), _book(_entry(meters={"generated_images_0": "0.1"}))).dangers
    assert found == ["the book would shrink from 6 prices to 1: half of it or more would be gone"]


def test_a_multiplier_that_moves_by_ten_is_a_danger() -> None:
    regions = [{"provider": "p", "region": "eu", "multiplier": "10"}]
    [danger] = compare(_book(_entry()), _book(_entry(), regions=regions)).dangers
    assert danger == "multiplier of p / eu: 1 -> 10, 10 times as much or more"


def test_an_entry_of_a_region_is_compared_with_what_applies_there_without_it() -> None:
    regions = [{"provider": "p", "region": "eu", "multiplier": "1.5"}]
    everywhere = _entry(meters={"input_tokens": "0.000002", "output_tokens": "0.000004"})
    plain = _book(everywhere, regions=regions)
    own = _book(
        everywhere,
        _entry(region="eu", meters={"input_tokens": "0.00003", "search_queries": "0.01"}, tiers=[TIER]),
        {**everywhere, "region": "us"},
        regions=regions,
    )
    assert _words(plain, own) == [
        "changed p / m / standard / eu, input_tokens: 0.000003 -> 0.00003 (x10)",
        "removed p / m / standard / eu, output_tokens: 0.000006 -> none",
        "added p / m / standard / eu, search_queries: none -> 0.01",
        "changed p / m / standard / eu, above 200000, input_tokens: 0.000003 -> 0.000004 (x1.333333)",
    ]
    assert compare(own, plain).dangers[1:] == [
        "p / m / standard / eu, input_tokens: 0.00003 -> 0.000003, a tenth or less",
    ]
    assert compare(_book(_entry("other")), own).counts["added"] == 7


def test_a_ratio_is_told_to_six_places_and_never_of_nothing() -> None:
    change = PriceChange("p", "m", "standard", "", "", "input_tokens", Decimal(3), Decimal(1))
    assert change.ratio == Decimal("0.333333")
    assert PriceChange("p", "m", "standard", "", "", "input_tokens", Decimal(0), Decimal(1)).ratio is None


def test_a_retroactive_book_is_compared_in_what_it_names_alone_and_cannot_shrink() -> None:
    aliases = [
        {"provider": "p", "model": "m0", "names": ["m0-latest"]},
        {"provider": "p", "model": "m1", "names": ["m1-latest"]},
    ]
    regions = [
        {"provider": "p", "region": "eu", "multiplier": "1.1", "models": ["m0"]},
        {"provider": "p", "region": "eu", "multiplier": "20", "models": ["m1"]},
        {"provider": "p", "region": "us", "multiplier": "1.2"},
        {"provider": "q", "region": "us", "multiplier": "20"},
    ]
    old = _book(
        *(_entry(f"m{number}") for number in range(9)),
        _entry("m0", mode="batch"),
        _entry("m0", region="eu"),
        {**_entry("x"), "provider": "q"},
        aliases=aliases,
        regions=regions,
        rewards=[{"provider": "p", "share": "0.8"}, {"provider": "q", "share": "0.9"}],
    )
    difference = compare(old, _book(_entry("m0", {"input_tokens": "0.000001"}), retroactive=True))
    assert [change.words for change in difference.changes] == [
        "changed p / m0 / standard, input_tokens: 0.000002 -> 0.000001 (x0.5)",
        "changed p / m0 / standard / eu, input_tokens: 0.000002 -> 0.000001 (x0.5)",
    ]
    assert difference.terms == (
        "reward share of p: 0.8 -> none",
        "multiplier of p / eu / m0: 1.1 -> none",
        "multiplier of p / us: 1.2 -> none",
        "alias p / m0-latest: m0 -> none",
    )
    assert difference.dangers == []


def test_a_price_that_a_retroactive_book_moves_by_ten_is_a_danger_all_the_same() -> None:
    old = _book(_entry("a"), _entry("b"))
    found = compare(old, _book(_entry("a", {"input_tokens": "0.00002"}), currency="EUR", retroactive=True)).dangers
    assert found == [
        "the currency would be EUR in place of USD: every price would mean something else",
        "p / a / standard, input_tokens: 0.000002 -> 0.00002, 10 times as much or more",
    ]
