"""A price book written as text is the same book when read back, and equal books are equal texts."""

from __future__ import annotations

import random
import time
import tomllib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.prices.book import PriceBook
from billing.prices.conditions import DAYS
from billing.prices.writing import entry_order, readable, toml_of

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
meter_names = st.sampled_from(["input_tokens", "output_tokens", "cached_input_tokens", "generated_images_hd_1024x1024"])
prices = st.one_of(
    st.integers(0, 10**18).map(lambda steps: f"{Decimal(steps).scaleb(-12):f}"),
    st.tuples(st.integers(0, 10**12), st.sampled_from([1, 1000, 10**6])).map(
        lambda pair: {"price": f"{Decimal(pair[0]).scaleb(-6):f}", "per": pair[1]}
    ),
)
meters = st.dictionaries(meter_names | texts, prices, min_size=1, max_size=4)
bounds = st.integers(1, 10**9)


def tiers() -> st.SearchStrategy[list[dict[str, Any]]]:
    one = st.tuples(st.sampled_from(["above", "from"]), bounds, meters).map(lambda t: {t[0]: t[1], "meters": t[2]})
    return st.lists(one, max_size=3, unique_by=lambda tier: (tier.get("above"), tier.get("from")))


hours = st.builds(
    lambda zone, parts, inner: [
        {
            "from": f"{3 * n:02}:00",
            "to": f"{3 * n + 2:02}:30",
            "zone": zone,
            "days": days,
            "meters": priced,
            "tiers": inner,
        }
        for n, (days, priced) in enumerate(parts)
    ],
    st.sampled_from(["UTC", "Asia/Shanghai"]),
    st.lists(st.tuples(st.lists(st.sampled_from(DAYS), min_size=1, unique=True), meters), max_size=2),
    tiers(),
)
entries = st.fixed_dictionaries(
    {"provider": names, "model": names, "meters": meters},
    optional={
        "mode": st.sampled_from(["standard", "batch", "flex", "priority"]),
        "region": names,
        "tiers": tiers(),
        "hours": hours,
        "provenance": st.fixed_dictionaries({"source": texts}, optional={"key": texts, "note": texts, "url": texts}),
    },
)


@st.composite
def books(draw: st.DrawFn) -> dict[str, Any]:
    listed = draw(st.lists(entries, min_size=1, max_size=4, unique_by=lambda e: (e["provider"], e["model"])))
    first = listed[0]
    book: dict[str, Any] = {
        "version": draw(names),
        "effective_from": draw(st.sampled_from(["2026-12-01T00:00:00Z", "2026-12-01T05:30:00.250000+05:30"])),
        "currency": "EUR",
        "retroactive": draw(st.booleans()),
        "default_reward_share": draw(st.sampled_from(["0.7", "1", "0"])),
        "rewards": [{"provider": name, "share": "0.5"} for name in draw(st.lists(names, max_size=2, unique=True))],
        "prices": listed,
    }
    others = {(entry["provider"], entry["model"]) for entry in listed}
    free = [n for n in draw(st.lists(names, max_size=3, unique=True)) if (first["provider"], n) not in others]
    if free:
        book["aliases"] = [{"provider": first["provider"], "model": first["model"], "names": free}]
    if draw(st.booleans()):
        regions = [{"provider": "of everybody", "region": "eu", "multiplier": "1.1"}]
        book["regions"] = [
            *regions,
            {"provider": first["provider"], "region": "x", "multiplier": "1", "models": [first["model"]]},
        ]
    return book


def _book(document: dict[str, Any]) -> PriceBook:
    return PriceBook.model_validate(document)


def _sorted(book: PriceBook) -> dict[str, Any]:
    """The book without regard to the order in which its entries stand."""
    plain = book.model_dump(exclude={"content", "digest"})
    plain["prices"] = [entry.model_dump() for entry in sorted(book.prices, key=entry_order)]
    plain["rewards"] = sorted(plain["rewards"], key=str)
    plain["aliases"] = sorted(({**alias, "names": sorted(alias["names"])} for alias in plain["aliases"]), key=str)
    plain["regions"] = sorted(plain["regions"], key=str)
    return plain


@settings(max_examples=150, deadline=None)
@given(books())
def test_what_is_read_back_is_the_same_book(document: dict[str, Any]) -> None:
    book = _book(document)
    again = _book(tomllib.loads(toml_of(book)))
    assert _sorted(again) == _sorted(book)


@settings(max_examples=60, deadline=None)
@given(books(), st.randoms())
def test_equal_books_are_equal_texts(document: dict[str, Any], order: random.Random) -> None:
    shuffled = {**document, "prices": order.sample(document["prices"], len(document["prices"]))}
    shuffled["prices"] = [{**entry, "meters": dict(reversed(entry["meters"].items()))} for entry in shuffled["prices"]]
    text = toml_of(_book(document))
    assert toml_of(_book(shuffled)) == text
    assert toml_of(_book(tomllib.loads(text))) == text


def test_an_entry_reads_as_a_list_of_prices() -> None:
    document = {
        "version": "2026-12",
        "effective_from": "2026-12-01T00:00:00+00:00",
        "currency": "USD",
        "rewards": [{"provider": "northwind", "share": "0.65"}],
        "prices": [
            {"provider": "northwind", "model": "nw-large", "mode": "batch", "meters": {"input_tokens": "0.000001250"}},
            {
                "provider": "northwind",
                "model": "nw-large",
                "meters": {
                    "output_tokens": {"price": "10.00", "per": 1000000},
                    "input_tokens": {"price": "2.50", "per": 1000000},
                    "generated_images_hd_1024x1792": "0.12",
                },
                "tiers": [{"above": 200000, "meters": {"input_tokens": {"price": "5", "per": 1000000}}}],
                "hours": [{"from": "16:30", "to": "00:30", "days": ["mon"], "meters": {"input_tokens": "0"}}],
                "provenance": {"source": "a list", "key": 'azure/"nw"\t\x7f'},
            },
        ],
        "aliases": [{"provider": "northwind", "model": "nw-large", "names": ["nw-latest", "nw-2025"]}],
        "regions": [{"provider": "northwind", "region": "eu", "multiplier": "1.10"}],
    }
    assert (
        toml_of(_book(document), heading=["Two sentences.", "Read me."])
        == """# Two sentences.
# Read me.
version = "2026-12"
effective_from = 2026-12-01T00:00:00Z
currency = "USD"
default_reward_share = "0.7"

[[rewards]]
provider = "northwind"
share = "0.65"

[[prices]]
provider = "northwind"
model = "nw-large"
meters.input_tokens = { price = "2.5", per = 1000000 }
meters.output_tokens = { price = "10", per = 1000000 }
meters.generated_images_hd_1024x1792 = "0.12"
provenance = { source = "a list", key = "azure/\\"nw\\"\\t\\u007f" }
[[prices.tiers]]
above = 200000
meters.input_tokens = { price = "5", per = 1000000 }
[[prices.hours]]
from = "16:30"
to = "00:30"
days = ["mon"]
meters.input_tokens = "0"

[[prices]]
provider = "northwind"
model = "nw-large"
mode = "batch"
meters.input_tokens = "0.00000125"

[[aliases]]
provider = "northwind"
model = "nw-large"
names = ["nw-2025", "nw-latest"]

[[regions]]
provider = "northwind"
region = "eu"
multiplier = "1.1"
"""
    )


@pytest.mark.parametrize(
    ("unit", "price", "per"),
    [
        ("0.00000125", "1.25", 1000000),
        ("0.000000000001", "0.000001", 1000000),
        ("0.009999999999", "9999.999999", 1000000),
        ("0.01", "0.01", 1),
        ("1.5", "1.5", 1),
        ("0", "0", 1),
    ],
)
def test_small_prices_are_written_for_a_million_units(unit: str, price: str, per: int) -> None:
    written = readable(Decimal(unit))
    assert (str(written.price), written.per) == (price, per)
    assert written.unit_price == Decimal(unit)


@pytest.mark.parametrize("unit", ["0.0000000000001", "1000000.1", "-1"])
def test_a_price_that_no_book_can_hold_is_not_made_readable(unit: str) -> None:
    with pytest.raises(ValueError, match=r"places|outside"):
        readable(Decimal(unit))


def test_a_price_keeps_every_digit_it_can_have() -> None:
    document = {"version": "1", "effective_from": "2026-12-01T00:00:00Z", "currency": "USD"}
    entry = {"provider": "p", "model": "m", "meters": {"input_tokens": "999999.999999999999"}}
    assert 'meters.input_tokens = "999999.999999999999"' in toml_of(_book({**document, "prices": [entry]}))


@pytest.mark.slow
def test_five_thousand_entries_are_read_in_seconds() -> None:
    """The bound is many times what it takes; what it is to catch is a load that grows with the square of the book."""
    document = {
        "version": "1",
        "effective_from": "2026-12-01T00:00:00Z",
        "currency": "USD",
        "prices": [
            {
                "provider": f"p{n % 70}",
                "model": f"m{n}",
                "meters": {
                    name: {"price": f"{n}.25", "per": 1000000}
                    for name in ("input_tokens", "output_tokens", "cached_input_tokens")
                },
                "provenance": {"source": "test", "key": f"p/m{n}"},
            }
            for n in range(5000)
        ],
    }
    text = toml_of(_book(document))
    started = time.process_time()
    assert len(_book(tomllib.loads(text)).prices) == 5000
    assert time.process_time() - started < 15
