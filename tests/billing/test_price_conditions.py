"""When other prices apply: what is refused, and that columns and the plain reading agree on every slot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.documents import BookError
from billing.loading import parse_version
from billing.prices import PriceBook, PriceSheet, quote
from billing.prices.schedules import Schedules
from tests.support.book_strategies import Row, events, price_books

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HEAD = 'version = "v"\neffective_from = 2026-01-01T00:00:00Z\ncurrency = "USD"\n'
ENTRY = '[[prices]]\nprovider = "p"\nmodel = "m"\nmeters = { input_tokens = "1", output_tokens = "2" }\n'
METERS = 'meters = { input_tokens = "3" }'
NIGHT = f'{{ from = "22:00", to = "06:00", {METERS} }}'


def slots_of(sheet: PriceSheet, times: list[int], prompts: list[int]) -> list[int]:
    schedules = Schedules()
    numbers = np.full(len(times), schedules.number(sheet))
    slots: list[int] = schedules.slots(numbers, np.array(times), np.array(prompts)).tolist()
    return slots


def book(more: str, entry: str = ENTRY) -> PriceBook:
    return parse_version(HEAD + entry + more, ".toml", "prices.toml", PriceBook)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (f"tiers = [{{ {METERS} }}]", "prices.1.tiers.1: a tier has either `above`"),
        (f"tiers = [{{ above = 1, from = 1, {METERS} }}]", "prices.1.tiers.1: a tier has either `above`"),
        (f"tiers = [{{ above = -1, {METERS} }}]", "prices.1.tiers.1.above: Input should be greater than or equal to 0"),
        (f"tiers = [{{ from = 0, {METERS} }}]", "prices.1.tiers.1.from: Input should be greater than or equal to 1"),
        (f"tiers = [{{ above = 1000000001, {METERS} }}]", "above: Input should be less than or equal to 1000000000"),
        (f"tiers = [{{ from = 1000000001, {METERS} }}]", "from: Input should be less than or equal to 1000000000"),
        (f"tiers = [{{ above = 1.5, {METERS} }}]", "prices.1.tiers.1.above: Input should be a valid integer"),
        (f'tiers = [{{ above = "1", {METERS} }}]', "prices.1.tiers.1.above: Input should be a valid integer"),
        ("tiers = [{ above = 1, meters = {} }]", "prices.1.tiers.1.meters: Dictionary should have at least 1 item"),
        (f"tiers = [{{ above = 1, {METERS} }}, {{ above = 1, {METERS} }}]", "two tiers begin above 1: keep one"),
        (f'hours = [{{ from = "24:00", to = "06:00", {METERS} }}]', "'24:00' is no time of day between 00:00 and 23"),
        (f'hours = [{{ from = "22:00", to = "24:01", {METERS} }}]', "'24:01' is no time of day between 00:00 and 24"),
        (f'hours = [{{ from = "22:60", to = "06:00", {METERS} }}]', "'22:60' is no time of day between"),
        (f'hours = [{{ from = "9:00", to = "06:00", {METERS} }}]', "'9:00' is no time of day, such as 16:30"),
        (f'hours = [{{ from = "09:0", to = "06:00", {METERS} }}]', "'09:0' is no time of day, such as 16:30"),
        (f'hours = [{{ from = "0900", to = "06:00", {METERS} }}]', "'0900' is no time of day, such as 16:30"),
        (f'hours = [{{ from = "²1:00", to = "06:00", {METERS} }}]', "'²1:00' is no time of day, such as 16:30"),
        (f'hours = [{{ from = "06:00", to = "06:00", {METERS} }}]', "hours from 06:00 to 06:00 never are"),
        (f'hours = [{{ from = "22:00", to = "06:00", zone = "Mars", {METERS} }}]', "'Mars' is no time zone"),
        (f'hours = [{{ from = "22:00", to = "06:00", zone = "../x", {METERS} }}]', "'../x' is no time zone"),
        (f'hours = [{{ from = "22:00", to = "06:00", days = ["Mon"], {METERS} }}]', "days are mon, tue, wed, thu"),
        (f'hours = [{{ from = "22:00", to = "06:00", days = [], {METERS} }}]', "each at most once, not none"),
        (f'hours = [{{ from = "22:00", to = "06:00", days = ["mon", "mon"], {METERS} }}]', "not mon, mon"),
        (
            f'hours = [{NIGHT}, {{ from = "05:59", to = "07:00", days = ["tue"], {METERS} }}]',
            "the hours 22:00 to 06:00 UTC and 05:59 to 07:00 UTC, tue overlap: only one price can apply",
        ),
        (
            f'hours = [{NIGHT}, {{ from = "08:00", to = "09:00", zone = "Europe/Madrid", {METERS} }}]',
            "hours of one entry are in one time zone, not in UTC and Europe/Madrid",
        ),
        ('provenance = { key = "x" }', "prices.1.provenance.source: Field required"),
        ('[[aliases]]\nprovider = "p"\nmodel = "x"\nnames = ["y"]', "aliases of p / x: the book has no price for"),
        ('[[aliases]]\nprovider = "q"\nmodel = "m"\nnames = ["y"]', "aliases of q / m: the book has no price for that"),
        ('[[aliases]]\nprovider = "p"\nmodel = "m"\nnames = ["m"]', "p / m has prices and is an alias of m: keep one"),
        ('[[aliases]]\nprovider = "p"\nmodel = "m"\nnames = []', "aliases.1.names: Tuple should have at least 1 item"),
        (
            ENTRY.replace('"m"', '"n"') + '[[aliases]]\nprovider = "p"\nmodel = "m"\nnames = ["y"]\n'
            '[[aliases]]\nprovider = "p"\nmodel = "n"\nnames = ["y"]',
            "p / y is an alias of m and of n: keep one",
        ),
        (
            '[[regions]]\nprovider = "p"\nregion = "eu"\nmultiplier = "1.1"\n' * 2,
            "p / eu has two multipliers: keep one",
        ),
        (
            '[[regions]]\nprovider = "p"\nregion = "eu"\nmultiplier = "1.1"\nmodels = ["m", "m"]',
            "p / eu / m has two multipliers: keep one",
        ),
        (
            '[[regions]]\nprovider = "p"\nregion = "eu"\nmultiplier = "1.1"\nmodels = ["n"]',
            "region eu: the book has no price for p / n",
        ),
        ('[[regions]]\nprovider = "p"\nregion = "eu"\nmultiplier = 1.1', "multiplier: 1.1 has to be written in quotes"),
        ('[[regions]]\nprovider = "p"\nregion = "eu"\nmultiplier = "-1"', "multiplier: -1 is outside 0 to 1000"),
        ('[[regions]]\nprovider = "p"\nregion = "eu"\nmultiplier = "1001"', "multiplier: 1001 is outside 0 to 1000"),
        ('[[regions]]\nprovider = "p"\nregion = "eu"\nmultiplier = "1.0000001"', "has more than 6 places"),
        ("retroactive = 2", "prices.1.retroactive: Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_a_condition_that_cannot_be_is_refused_with_a_sentence(more: str, sentence: str) -> None:
    with pytest.raises(BookError) as error:
        book(more)
    assert str(error.value).startswith("prices.toml: ")
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("price", "multiplier", "sentence"),
    [
        (
            "0.000000000001",
            "1.1",
            "p / m / standard, input_tokens in eu, 0.000000000001 x 1.1: 0.0000000000011 has more than 12 places",
        ),
        ("1000000", "1.1", "p / m / standard, input_tokens in eu, 1000000 x 1.1: 1100000.0 is outside 0 to 1000000"),
    ],
)
@pytest.mark.parametrize("where", ["plain", "tier", "hours", "hours tier"])
def test_a_multiplied_price_that_is_none_is_refused_wherever_it_stands(
    price: str, multiplier: str, sentence: str, where: str
) -> None:
    meters = f'meters = {{ input_tokens = "{price}" }}'
    tier = f"tiers = [{{ above = 5, {meters} }}]"
    entry = {
        "plain": '[[prices]]\nprovider = "p"\nmodel = "m"\n' + meters,
        "tier": ENTRY + tier,
        "hours": ENTRY + f'hours = [{{ from = "22:00", to = "06:00", {meters} }}]',
        "hours tier": ENTRY + f'hours = [{{ from = "22:00", to = "06:00", {METERS}, {tier} }}]',
    }[where]
    region = f'\n[[regions]]\nprovider = "p"\nregion = "eu"\nmultiplier = "{multiplier}"\n'
    with pytest.raises(BookError) as error:
        book(region, entry)
    assert sentence in str(error.value)
    # Of another provider, of another model, or of the region itself it is nobody's business.
    other = ENTRY.replace('"m"', '"n"')
    book(region.replace('"p"', '"q"'), entry)
    book(region.rstrip() + '\nmodels = ["n"]\n', f"{other}\n{entry}")
    if where == "plain":
        book(region, entry + '\nregion = "eu"\n')


def test_a_threshold_and_its_neighbours() -> None:
    [entry] = book(f"tiers = [{{ above = 10, {METERS} }}, {{ from = 10, {METERS} }}, {{ from = 12, {METERS} }}]").prices
    assert [tier.words for tier in entry.tiers] == ["from 10", "above 10", "from 12"]
    sheet = PriceSheet(entry)
    prompts = np.array([0, 9_999_999, 10_000_000, 10_000_001, 11_999_999, 12_000_000, 10**18])
    assert slots_of(sheet, [0] * 7, prompts.tolist()) == [0, 0, 1, 2, 2, 3, 3]


def test_hours_go_before_tiers_and_their_own_tiers_before_both() -> None:
    more = (
        'tiers = [{ above = 10, meters = { input_tokens = "5", output_tokens = "6" } }]\n'
        'hours = [{ from = "22:00", to = "06:00", meters = { input_tokens = "7", tool_calls = "9" }, '
        'tiers = [{ above = 20, meters = { input_tokens = "8" } }] }]'
    )
    tags = {"provider": "p", "model": "m", "mode": "standard", "region": ""}
    noon, night = ((datetime(2026, 2, 1, hour, tzinfo=UTC) - EPOCH) for hour in (12, 23))
    found = []
    for time, tokens in ((noon, 10), (noon, 11), (night, 10), (night, 11), (night, 21)):
        quoted = quote(book(more), tags, {"input_tokens": tokens * 10**6}, time // timedelta(microseconds=1))
        assert quoted is not None
        assert quoted.prompt == tokens * 10**6
        found.append({meter: (price.origin, str(price.unit_price)) for meter, price in quoted.prices.items()})
    assert found == [
        {"input_tokens": ("base", "1"), "output_tokens": ("base", "2")},
        {"input_tokens": ("tier", "5"), "output_tokens": ("tier", "6")},
        {"input_tokens": ("hours", "7"), "output_tokens": ("base", "2"), "tool_calls": ("hours", "9")},
        {"input_tokens": ("hours", "7"), "output_tokens": ("tier", "6"), "tool_calls": ("hours", "9")},
        {"input_tokens": ("hours tier", "8"), "output_tokens": ("tier", "6"), "tool_calls": ("hours", "9")},
    ]


def test_a_quote_names_the_entry_the_model_and_the_multiplier() -> None:
    more = (
        '[[aliases]]\nprovider = "p"\nmodel = "m"\nnames = ["m-1"]\n'
        '[[regions]]\nprovider = "p"\nregion = "eu"\nmultiplier = "1.5"\n'
    )
    tags = {"provider": "p", "model": "m-1", "mode": "standard", "region": "eu"}
    quoted = quote(book(more), tags, {}, 0)
    assert quoted is not None
    assert (quoted.entry.words, quoted.canonical_model, quoted.multiplier) == ("p / m / standard", "m", Decimal("1.5"))
    price = quoted.prices["output_tokens"]
    assert (price.unit_price, price.base_price, price.multiplier) == (Decimal(3), Decimal(2), Decimal("1.5"))
    assert (quoted.tier, quoted.hours, quoted.hours_tier) == (None, None, None)
    assert quote(book(more), {**tags, "mode": "batch"}, {}, 0) is None


@settings(max_examples=150)
@given(price_books(), st.lists(events(), min_size=1, max_size=8))
def test_columns_and_the_plain_reading_find_the_same_slot(texts: list[str], rows: list[Row]) -> None:
    sheets = [PriceSheet(entry) for entry in parse_version(texts[0], ".toml", "drawn", PriceBook).prices]
    schedules, asked = Schedules(), []
    for sheet in sheets:
        for time, _, usage in rows:
            tokens = sum((usage.get(m, Decimal(0)) for m in ("input_tokens", "cached_input_tokens")), Decimal(0))
            asked.append((sheet, (time - EPOCH) // timedelta(microseconds=1), int(tokens * 10**6)))
    numbers = np.array([schedules.number(sheet) for sheet, _, _ in asked])
    assert sorted(set(numbers.tolist())) == list(range(len(sheets)))
    times, prompts = (np.array([each[at] for each in asked]) for at in (1, 2))
    assert schedules.slots(numbers, times, prompts).tolist() == [sheet.slot(*place) for sheet, *place in asked]


def test_the_hour_that_comes_twice_and_the_one_that_never_comes() -> None:
    # In New York clocks go back on 1 November 2026 and forward on 8 March 2026; 01:30 comes twice, 02:30 never.
    hours = f'hours = [{{ from = "01:00", to = "03:00", zone = "America/New_York", {METERS} }}]'
    sheet = PriceSheet(book(hours).prices[0])
    fall, spring = datetime(2026, 11, 1, 4, 30, tzinfo=UTC), datetime(2026, 3, 8, 5, 30, tzinfo=UTC)
    for first, slots in ((fall, [0, 1, 1, 1, 0]), (spring, [0, 1, 0, 0, 0])):
        times = [(first + timedelta(hours=n) - EPOCH) // timedelta(microseconds=1) for n in range(5)]
        assert slots_of(sheet, times, [0] * 5) == slots
        assert [sheet.slot(time, 0) for time in times] == slots
