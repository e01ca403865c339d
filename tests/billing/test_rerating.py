"""What past usage stands at, which books it is rated with once more, and what is made of the difference."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing.loading import parse_version
from billing.prices import PriceBook, PriceBooks
from billing.rerating import ByHand, Outcome, RerateError, Rerater, Selection, billed_so_far, differences
from billing.rerating.billed import COLUMNS
from billing.rerating.differences import mark_reused
from billing.surcharges import RuleBook, RuleBooks
from billing.windows import AMOUNT_COLUMNS
from topics.block import DIMENSION_COLUMNS, Kind

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONEY = pl.Decimal(38, 12)
SCHEMA: dict[str, Any] = {
    "event_time": pl.Int64, "kind": pl.UInt8, "dimension": pl.UInt32, "topic_epoch": pl.UInt16,
    "source_partition": pl.UInt16, "source_offset": pl.Int64, "batch_index": pl.UInt32, "id": pl.String,
    **dict.fromkeys(("identity_high", "identity_low", "target_high", "target_low"), pl.UInt64),
    **dict.fromkeys(("pricing", "unpriced_reason", "price_version", "rule_version", "rule_id", "currency"), pl.String),
    **dict.fromkeys(AMOUNT_COLUMNS, MONEY), "usage.input_tokens": pl.Int64, "usage.messages": pl.Int64,
}  # fmt: skip
TAGS = dict.fromkeys(DIMENSION_COLUMNS, "") | {"builder": "acme", "tenant": "north", "mode": "standard",
                                                    "provider": "orange", "model": "small"}  # fmt: skip


def book(version: str, day: int, price: str = "1", model: str = "small", **more: Any) -> PriceBook:
    """`price` for a token of `model`, from a day of January on."""
    head = {"currency": "USD"} | more
    words = "\n".join(
        f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}" for name, value in head.items()
    )
    start = (JANUARY + timedelta(days=day - 1)).isoformat()
    text = (
        f'version = "{version}"\neffective_from = {start}\n{words}\ndefault_reward_share = "0.5"\n'
        f'[[prices]]\nprovider = "orange"\nmodel = "{model}"\nmeters = {{ input_tokens = "{price}" }}\n'
    )
    return parse_version(text, ".toml", version, PriceBook)


def rules(version: str, day: int, percent: str = "0", match: str = "", **more: Any) -> RuleBook:
    """A markup for whatever matches, from a day of January on."""
    start = (JANUARY + timedelta(days=day - 1)).isoformat()
    head = "\n".join(f'{name} = "{value}"' for name, value in more.items())
    text = (
        f'version = "{version}"\neffective_from = {start}\n{head}\n[[rules]]\nid = "rule-{version}"\n'
        f'kind = "markup"\npercent = "{percent}"\nmatch = {{{match}}}\nlabel = "AI"\nunit = "token"\nreason = "why"\n'
    )
    return parse_version(text, ".toml", version, RuleBook)


def row(offset: int, kind: Kind = Kind.USAGE, target: int = 0, **given: Any) -> dict[str, Any]:
    """A ledger row at an offset: rated usage of 10 tokens at 1 each, unless told otherwise; `target` is an identity."""
    day = given.pop("day", 1)
    amounts = dict(zip(AMOUNT_COLUMNS, given.pop("amounts", ("10", "5", "5", "0")), strict=True))
    fields: dict[str, Any] = {
        "event_time": int((JANUARY - EPOCH).total_seconds() + 86_400 * (day - 1) + 60) * 1_000_000, "kind": int(kind),
        "dimension": 0, "topic_epoch": 1, "source_partition": 0, "source_offset": offset, "batch_index": 0,
        "id": f"e{offset}", "identity_high": 0, "identity_low": offset, "target_high": 0, "target_low": target,
        "pricing": "rated", "unpriced_reason": "", "price_version": "p1", "rule_version": "r1", "rule_id": "rule-r1",
        "currency": "USD", "usage.input_tokens": 10_000_000 if kind is Kind.USAGE else None, "usage.messages": None,
        **{name: None if text is None else Decimal(text) for name, text in amounts.items()},
    }  # fmt: skip
    return fields | given


def waiting(offset: int, **given: Any) -> dict[str, Any]:
    return row(offset, **({"pricing": "unpriced", "unpriced_reason": "no_price", "amounts": (None,) * 4} | given))


def adjusted(offset: int, target: int, charge: str, pricing: str = "rated", **given: Any) -> dict[str, Any]:
    """The whole charge goes to the provider."""
    return row(offset, Kind.ADJUSTMENT, target, amounts=(charge, charge, "0", "0"), pricing=pricing, **given)


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row")


def tags(*changes: dict[str, str]) -> pl.DataFrame:
    return pl.DataFrame([TAGS | change for change in changes or ({},)], schema=dict.fromkeys(TAGS, pl.String))


def billed(*rows: dict[str, Any], dimensions: pl.DataFrame | None = None) -> list[dict[str, Any]]:
    return billed_so_far(frame(rows), tags() if dimensions is None else dimensions).sort("source_offset").to_dicts()


def outcomes(
    rows: Sequence[dict[str, Any]],
    prices: Sequence[PriceBook],
    rule_books: Sequence[RuleBook] = (rules("r1", 1),),
    selection: Selection = Selection(),  # noqa: B008
    by_hand: ByHand = ByHand.LEAVE,
    dimensions: pl.DataFrame | None = None,
) -> list[dict[str, Any]]:
    """What becomes of each usage event, in the order of the log."""
    dimensions = tags() if dimensions is None else dimensions
    stands = billed_so_far(frame(rows), dimensions)
    rated = Rerater(PriceBooks(prices), RuleBooks(rule_books), selection).rate(stands, dimensions)
    return differences(stands, rated, by_hand).sort("source_offset").to_dicts()


def test_the_columns_asked_for_are_the_columns_used() -> None:
    assert set(COLUMNS) <= set(SCHEMA)


# What stands


def test_row_and_re_ratings_are_rating_and_the_rest_was_added_by_hand() -> None:
    [event] = billed(
        row(0), adjusted(1, 0, "2", "rerated", price_version="p2"), adjusted(2, 0, "0.5", price_version="p2")
    )
    assert (event["rated.customer_charge"], event["by_hand.customer_charge"]) == (12, Decimal("0.5"))
    assert (event["rated.provider_reward"], event["rated.builder_earnings"]) == (7, 0)
    assert (event["price_version"], event["named"], event["by_hand"], event["waits"]) == ("p2", True, True, False)


def test_what_was_taken_back_is_gone() -> None:
    assert billed(row(0), adjusted(1, 0, "2", "rerated"), row(2, Kind.VOID, 0)) == []


def test_usage_waits_until_it_is_rated_later_and_has_money_from_its_first_adjustment_on() -> None:
    rows = [
        waiting(0),
        waiting(1),
        waiting(2),
        adjusted(3, 1, "1"),
        adjusted(4, 2, "1", "rated_later", rule_id="later"),
    ]
    assert [(event["waits"], event["has_money"], event["rule_id"]) for event in billed(*rows)] == [
        (True, False, "rule-r1"), (True, True, "rule-r1"), (False, True, "later"),
    ]  # fmt: skip


def test_corrections_are_about_the_latest_use_of_an_identity_before_them_by_the_same_tenant() -> None:
    south = tags({}, {"tenant": "south"})
    first, again, other = row(0), row(5, identity_low=0), row(6, identity_low=0, dimension=1)
    rows = [adjusted(1, 0, "1", "rerated"), adjusted(7, 0, "3", "rerated"), adjusted(8, 0, "7", "rerated", dimension=1)]
    found = billed(first, again, other, *rows, dimensions=south)
    assert [(each["source_offset"], each["rated.customer_charge"]) for each in found] == [(0, 11), (5, 13), (6, 17)]


def test_a_correction_whose_usage_is_not_here_counts_for_nothing() -> None:
    assert [each["rated.customer_charge"] for each in billed(row(0), adjusted(1, 7, "3", "rerated"))] == [10]
    assert billed(adjusted(1, 7, "3", "rerated"), row(2, Kind.VOID, 7)) == []


def test_the_latest_re_rating_by_place_names_the_versions_whatever_the_order_of_the_rows() -> None:
    rows = [
        adjusted(9, 0, "1", "rerated", price_version="p9"),
        row(0),
        adjusted(3, 0, "1", "rerated", price_version="p3"),
    ]
    assert [each["price_version"] for each in billed(*rows)] == ["p9"]


# Which books


def test_by_default_usage_is_rated_by_its_own_time_and_nothing_changes() -> None:
    rows = [row(0), row(1, day=20, amounts=("20", "10", "10", "0"))]
    found = outcomes(rows, [book("p1", 1), book("p2", 15, "2")])
    assert [each["outcome"] for each in found] == [Outcome.SAME, Outcome.SAME]
    assert [each["new.price_version"] for each in found] == ["p1", "p2"]


def test_usage_that_waits_is_rated_by_the_first_later_version_that_prices_it() -> None:
    books = [book("p1", 1, model="other"), book("p2", 5, model="another"), book("p3", 9, "3"), book("p4", 12, "4")]
    [found] = outcomes([waiting(0)], books)
    assert (found["outcome"], found["new.price_version"], found["difference.customer_charge"]) == (
        Outcome.RATED_LATER, "p3", 30,
    )  # fmt: skip
    assert (found["before.customer_charge"], found["after.customer_charge"]) == (0, 30)


def test_usage_from_before_the_first_book_and_the_first_rule_finds_the_first_of_each() -> None:
    [found] = outcomes(
        [waiting(0, unpriced_reason="no_book", currency="")], [book("p2", 5, "2")], [rules("r3", 7, "50")]
    )
    assert (found["new.price_version"], found["new.rule_version"], found["after.customer_charge"]) == ("p2", "r3", 30)


def test_price_and_rule_are_looked_for_each_by_itself() -> None:
    matching = [rules("r1", 1, match='builder = "x"'), rules("r2", 3, "10"), rules("r3", 5, "20")]
    [found] = outcomes([waiting(0)], [book("p1", 1, model="other"), book("p2", 9, "2")], matching)
    assert (found["new.price_version"], found["new.rule_version"], found["after.customer_charge"]) == ("p2", "r2", 22)


def test_usage_that_no_version_prices_waits_on_and_says_why() -> None:
    rows = [waiting(0), waiting(1, dimension=1)]
    found = outcomes(rows, [book("p1", 1, model="other")], dimensions=tags({}, {"model": "", "provider": ""}))
    assert [(each["outcome"], each["reason"]) for each in found] == [
        (Outcome.WAITING, "no_price"), (Outcome.WAITING, "no_model"),
    ]  # fmt: skip
    assert all(each["difference.customer_charge"] is None for each in found)


def test_a_retroactive_version_never_rates_by_itself() -> None:
    late = book("p0", 1, "7", retroactive=True)
    assert [each["outcome"] for each in outcomes([waiting(0)], [book("p1", 1, model="other"), late])] == [
        Outcome.WAITING
    ]


def test_a_named_version_rates_everything_also_what_came_before_it_began() -> None:
    late = book("fixed", 20, "0.9", retroactive=True)
    rows = [row(0), waiting(1), row(2, day=25)]
    found = outcomes(rows, [book("p1", 1), late], selection=Selection(prices="fixed"))
    assert [(each["outcome"], each["after.customer_charge"]) for each in found] == [
        (Outcome.CHANGED, 9), (Outcome.RATED_LATER, 9), (Outcome.CHANGED, 9),
    ]  # fmt: skip
    assert {each["new.price_version"] for each in found} == {"fixed"}


def test_a_named_rule_book_rates_everything_with_the_prices_of_their_time() -> None:
    [found] = outcomes([row(0)], [book("p1", 1)], [rules("r1", 1), rules("r2", 9, "10")], Selection(rules="r2"))
    assert (found["new.price_version"], found["new.rule_version"], found["difference.builder_earnings"]) == (
        "p1",
        "r2",
        1,
    )


def test_a_correction_stands_until_it_is_corrected_or_the_timeline_is_asked_for() -> None:
    books = [book("p1", 1), book("fixed", 1, "0.9", retroactive=True)]
    rows = [row(0), adjusted(1, 0, "-1", "rerated", price_version="fixed")]
    rows[1] |= {"provider_reward": Decimal("-0.5"), "platform_fee": Decimal("-0.5")}
    [kept] = outcomes(rows, books)
    [undone] = outcomes(rows, books, selection=Selection(timeline=True))
    assert (kept["outcome"], kept["new.price_version"]) == (Outcome.SAME, "fixed")
    assert (undone["outcome"], undone["difference.customer_charge"], undone["new.price_version"]) == (
        Outcome.CHANGED, 1, "p1",
    )  # fmt: skip


def test_by_the_timeline_usage_that_came_without_a_price_has_that_of_the_first_later_version() -> None:
    books = [book("p1", 1, model="other"), book("p2", 5, "2"), book("fixed", 1, "3", retroactive=True)]
    rows = [waiting(0), adjusted(1, 0, "30", "rated_later", price_version="fixed")]
    [kept] = outcomes(rows, books)
    [undone] = outcomes(rows, books, selection=Selection(timeline=True))
    assert (kept["new.price_version"], kept["new.customer_charge"]) == ("fixed", 30)
    assert (undone["outcome"], undone["new.price_version"], undone["difference.customer_charge"]) == (
        Outcome.CHANGED, "p2", -10,
    )  # fmt: skip


def test_usage_that_came_with_a_price_never_gets_that_of_a_later_version() -> None:
    """A rule book that is named has no rule for it: it keeps what it has."""
    books, late = (
        [book("p1", 1), book("p2", 5)],
        [rules("r1", 1), rules("r2", 5, match='builder = "x"'), rules("r3", 9)],
    )
    [found] = outcomes([row(0)], books, late, Selection(rules="r2"))
    assert (found["outcome"], found["reason"], found["new.price_version"]) == (Outcome.UNRATED, "no_rule", "p1")


def test_a_version_that_a_re_rating_named_and_nobody_knows_is_not_guessed_at() -> None:
    [found] = outcomes([row(0), adjusted(1, 0, "-1", "rerated", price_version="gone")], [book("p1", 1)])
    assert (found["outcome"], found["reason"]) == (Outcome.UNRATED, "unknown_version")


def test_a_version_that_was_never_published_is_refused_with_those_that_were() -> None:
    with pytest.raises(RerateError, match=r"No version 'p9' of the prices was ever published.* p1, p0"):
        Rerater(PriceBooks([book("p1", 1), book("p0", 1, retroactive=True)]), RuleBooks([]), Selection(prices="p9"))


def test_rules_in_another_currency_than_the_prices_do_not_rate_and_a_later_one_that_fits_does() -> None:
    euro = [rules("r1", 1, currency="EUR"), rules("r2", 5, "10")]
    [found] = outcomes([waiting(0, unpriced_reason="no_book")], [book("p1", 3)], euro)
    assert (found["outcome"], found["new.rule_version"], found["after.customer_charge"]) == (
        Outcome.RATED_LATER,
        "r2",
        11,
    )
    [never] = outcomes([waiting(0)], [book("p1", 3)], euro, Selection(rules="r1"))
    assert (never["outcome"], never["reason"]) == (Outcome.WAITING, "mixed_currencies")


# What is made of it


def test_billed_usage_that_the_named_books_do_not_price_stays_as_it_is() -> None:
    [found] = outcomes([row(0)], [book("p1", 1), book("p2", 5, model="other")], selection=Selection(prices="p2"))
    assert (found["outcome"], found["reason"], found["difference.customer_charge"]) == (
        Outcome.UNRATED,
        "no_price",
        None,
    )


@pytest.mark.parametrize(
    ("by_hand", "outcome", "difference", "after"),
    [
        (ByHand.LEAVE, Outcome.BY_HAND, None, None),
        (ByHand.KEEP, Outcome.CHANGED, Decimal(10), Decimal("19.5")),
        (ByHand.REPLACE, Outcome.CHANGED, Decimal("10.5"), Decimal(20)),
    ],
)
def test_what_was_added_by_hand_is_left_kept_or_replaced(
    by_hand: ByHand, outcome: Outcome, difference: Decimal | None, after: Decimal | None
) -> None:
    books = [book("p1", 1), book("p2", 5, "2")]
    [found] = outcomes([row(0), adjusted(1, 0, "-0.5")], books, selection=Selection(prices="p2"), by_hand=by_hand)
    assert found["before.customer_charge"] == Decimal("9.5")
    assert (found["outcome"], found["difference.customer_charge"], found["after.customer_charge"]) == (
        outcome, difference, after,
    )  # fmt: skip


def test_money_never_moves_to_another_currency_and_usage_without_money_may_have_any() -> None:
    books = [book("p1", 1), book("euro", 5, "2", currency="EUR")]
    rows = [row(0), waiting(1), waiting(2), adjusted(3, 2, "1")]
    found = outcomes(rows, books, selection=Selection(prices="euro"), by_hand=ByHand.KEEP)
    assert [(each["outcome"], each["new.currency"]) for each in found] == [
        (Outcome.OTHER_CURRENCY, "EUR"), (Outcome.RATED_LATER, "EUR"), (Outcome.OTHER_CURRENCY, "EUR"),
    ]  # fmt: skip


def test_more_than_one_event_can_cost_is_left_alone() -> None:
    huge = {"usage.input_tokens": 10**18}
    [found] = outcomes([waiting(0, **huge)], [book("p1", 1, "1001")])
    assert (found["outcome"], found["difference.customer_charge"]) == (Outcome.TOO_LARGE, None)


def test_usage_that_costs_nothing_is_still_rated() -> None:
    [found] = outcomes([waiting(0)], [book("p1", 1, "0")])
    assert (found["outcome"], found["difference.customer_charge"]) == (Outcome.RATED_LATER, 0)


def test_events_whose_identity_is_used_again_are_taken_out_of_the_changes() -> None:
    rows = frame([waiting(0), waiting(1)])
    stands = billed_so_far(rows, tags())
    rated = Rerater(PriceBooks([book("p1", 1)]), RuleBooks([rules("r1", 1)]), Selection()).rate(stands, tags())
    marked = mark_reused(differences(stands, rated), pl.Series([True, False])).to_dicts()
    assert [(each["outcome"], each["difference.customer_charge"]) for each in marked] == [
        (Outcome.REUSED, None), (Outcome.RATED_LATER, 10),
    ]  # fmt: skip


def test_nothing_in_nothing_out() -> None:
    assert outcomes([], [book("p1", 1)]) == []


def retroactively(
    prices: Sequence[PriceBook], rule_books: Sequence[RuleBook], selection: Selection, *rows: dict[str, Any]
) -> dict[tuple[str, str], int]:
    dimensions = tags({}, {"model": "fresh"})
    stands = billed_so_far(frame(rows), dimensions)
    rerater = Rerater(PriceBooks(prices), RuleBooks(rule_books), selection)
    found = differences(stands, rerater.rate(stands, dimensions))
    still = found["outcome"] == "waiting"
    return dict(rerater.retroactive(stands.filter(still), found["reason"].filter(still), dimensions))


def test_a_retroactive_version_that_would_price_what_waits_is_told_and_never_used() -> None:
    prices = [
        book("p1", 1), book("fresh", 1, model="fresh", retroactive=True), book("other", 1, retroactive=True),
        book("elsewhere", 1, model="nova", retroactive=True),
    ]  # fmt: skip
    rows = [waiting(1, dimension=1), waiting(2, dimension=1), row(3)]
    assert retroactively(prices, [rules("r1", 1)], Selection(), *rows) == {("prices", "fresh"): 2}
    assert retroactively(prices, [rules("r1", 1)], Selection(prices="other"), *rows) == {}
    assert retroactively(prices, [rules("r1", 1)], Selection(prices="fresh"), *rows) == {}
    nothing_matches = [rules("r1", 1, match='tenant = "south"')]
    assert retroactively(prices, nothing_matches, Selection(), *rows) == {}, "a price alone would not do"


def test_a_retroactive_version_finds_a_model_by_its_alias() -> None:
    fresh = book("fresh", 1, model="base", retroactive=True).content
    named = parse_version(
        fresh + '[[aliases]]\nprovider = "orange"\nmodel = "base"\nnames = ["fresh"]\n', ".toml", "x", PriceBook
    )
    found = retroactively([book("p1", 1), named], [rules("r1", 1)], Selection(), waiting(1, dimension=1))
    assert found == {("prices", "fresh"): 1}


def test_retroactive_rules_are_told_of_usage_without_a_rule_alone() -> None:
    def late(version: str, match: str) -> RuleBook:
        return rules(version, 1, match=match).model_copy(update={"retroactive": True})

    books = [
        rules("r1", 1, match='tenant = "south"'),
        late("north", 'tenant = "north"'),
        late("west", 'tenant = "west"'),
    ]
    rows = [waiting(1, unpriced_reason="no_rule"), waiting(2, dimension=1)]
    assert retroactively([book("p1", 1)], books, Selection(), *rows) == {("rules", "north"): 1}
    assert retroactively([book("p1", 1)], books, Selection(rules="west"), *rows) == {}
