"""Rating as columns against the oracle's plain reading, over random books, rules and events."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.documents import BookError
from billing.prices import PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBooks
from tests.support.rating import DEFAULTS, frames
from tollstream.demo.oracle.books import Books
from tollstream.demo.oracle.events import TAGS, Event
from topics.meters import load_catalogue

START = datetime(2026, 1, 1, tzinfo=UTC)
INFERENCE = ("input_tokens", "output_tokens", "reasoning_tokens")
BUSINESS = ("pages", "conversations")
AMOUNTS = ("customer_charge", "provider_reward", "platform_fee", "builder_earnings")
METERS = {name: meter.kind for name, meter in load_catalogue().items()}

decimals = st.decimals(min_value=0, max_value=1000, places=12).map(lambda value: f"{value:f}")
percents = st.decimals(min_value=-99, max_value=500, places=10).map(lambda value: f"{value:f}")
margins = st.decimals(min_value=0, max_value=99, places=10).map(lambda value: f"{value:f}")
quantities = st.one_of(
    st.integers(0, 10**6).map(Decimal), st.decimals(min_value=0, max_value=10**6, places=6), st.just(Decimal(0))
)


@st.composite
def price_books(draw: st.DrawFn) -> list[str]:
    texts = []
    for number in range(draw(st.integers(1, 3))):
        lines = [
            f'version = "p{number}"',
            f"effective_from = {(START + timedelta(days=10 * number)).isoformat()}",
            'currency = "USD"',
            f'default_reward_share = "{draw(st.decimals(min_value=0, max_value=1, places=4))}"',
            f'[[rewards]]\nprovider = "p1"\nshare = "{draw(st.decimals(min_value=0, max_value=1, places=12)):f}"',
        ]
        keys = st.tuples(st.sampled_from("ab"), st.sampled_from(["standard", "batch"]), st.sampled_from(["", "eu"]))
        for model, mode, region in sorted(draw(st.sets(keys, min_size=1, max_size=5))):
            meters = ", ".join(
                f'{meter} = "{draw(decimals)}"' for meter in draw(st.sets(st.sampled_from(INFERENCE), min_size=1))
            )
            lines.append(
                f'[[prices]]\nprovider = "p1"\nmodel = "{model}"\nmode = "{mode}"\nregion = "{region}"\n'
                f"meters = {{ {meters} }}"
            )
        texts.append("\n".join(lines))
    return texts


@st.composite
def rule_books(draw: st.DrawFn) -> list[str]:
    texts = []
    for number in range(draw(st.integers(1, 2))):
        lines = [
            f'version = "r{number}"',
            f"effective_from = {(START + timedelta(days=7 * number)).isoformat()}",
            'model_classes = { heavy = ["a"], light = ["b"] }',
        ]
        fields = {
            "tenant": ("t1", "t2"), "builder": ("b1",), "feature": ("f1", "f2"), "model": ("a", "b"),
            "model_class": ("heavy", "light"), "mode": ("batch",),
        }  # fmt: skip
        match = st.sets(st.sampled_from(sorted(fields)), max_size=3)
        for rule in range(draw(st.integers(1, 4))):
            chosen = {field: draw(st.sampled_from(fields[field])) for field in sorted(draw(match))}
            kind = draw(st.sampled_from(["markup", "margin", "per_unit", "unit_price", "pass_through", "included"]))
            lines.append(f'[[rules]]\nid = "rule{rule}"\nkind = "{kind}"\nlabel = "l"\nunit = "u"\nreason = "why"')
            lines.append("match = { " + ", ".join(f'{field} = "{value}"' for field, value in chosen.items()) + " }")
            if kind in ("markup", "margin"):
                lines.append(f'percent = "{draw(percents if kind == "markup" else margins)}"')
            if kind in ("per_unit", "unit_price"):
                lines.append(f'amount = "{draw(decimals)}"\nmeter = "{draw(st.sampled_from(BUSINESS))}"')
            if draw(st.booleans()):
                floor = draw(st.decimals(min_value=0, max_value=1, places=6))
                lines.append(f'floor = "{floor}"\ncap = "{floor + 1}"')
        texts.append("\n".join(lines))
    return texts


@st.composite
def events(draw: st.DrawFn) -> tuple[datetime, dict[str, str], dict[str, Decimal]]:
    tags = {
        "builder": draw(st.sampled_from(["b1", "b2"])),
        "tenant": draw(st.sampled_from(["t1", "t2", "t3"])),
        "feature": draw(st.sampled_from(["", "f1", "f2"])),
        "provider": draw(st.sampled_from(["p1", "p1", "p1", ""])),
        "model": draw(st.sampled_from(["a", "a", "b", "c"])),
        "mode": draw(st.sampled_from(["standard", "batch"])),
        "region": draw(st.sampled_from(["", "eu", "us"])),
    }
    meters = draw(st.sets(st.sampled_from(INFERENCE + BUSINESS), min_size=1))
    time = START + timedelta(seconds=draw(st.integers(-86_400, 40 * 86_400)))
    return time, tags, {meter: draw(quantities) for meter in sorted(meters)}


@settings(max_examples=150)
@given(price_books(), rule_books(), st.lists(events(), min_size=1, max_size=30), st.data())
def test_columns_agree_with_the_oracle_in_any_order_and_any_cut(
    prices: list[str],
    rules: list[str],
    rows: list[tuple[datetime, dict[str, str], dict[str, Decimal]]],
    data: st.DataObject,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, texts in (("prices", prices), ("rules", rules)):
            (Path(folder) / name).mkdir()
            for number, text in enumerate(texts):
                (Path(folder) / name / f"{number}.toml").write_text(text)
        try:
            rater = Rater(PriceBooks.load(Path(folder) / "prices"), RuleBooks.load(Path(folder) / "rules"))
        except BookError as error:
            assert "tie" in str(error)  # noqa: PT017  the only way in which these books can be wrong
            return
        oracle = Books.load(Path(folder) / "prices", Path(folder) / "rules", METERS)
    order = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(order)))
    answers = [answer for part in (order[:cut], order[cut:]) if part for answer in rater.rate(*frames(part)).to_dicts()]
    for (time, tags, usage), answer in zip(order, answers, strict=True):
        expected = oracle.rate(_event(time, tags, usage))
        got = None if answer["pricing"] == "unpriced" else tuple(answer[name] for name in AMOUNTS)
        assert (got, answer["unpriced_reason"], answer["rule_id"]) == (
            expected.amounts, expected.unpriced_reason, expected.rule_id,
        )  # fmt: skip
        if got is not None:
            charge, reward, fee, earnings = got
            assert charge == reward + fee + earnings
            assert answer["base_cost"] == reward + fee


def _event(time: datetime, tags: dict[str, str], usage: dict[str, Decimal]) -> Event:
    full = {name: {**DEFAULTS, **tags}.get(name, "") for name in TAGS}
    moment = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return Event("usage", "/s", "1", moment, tuple(full.items()), tuple(sorted(usage.items())), None, (), "")


@settings(max_examples=100)
@given(st.decimals(min_value=0, max_value=95, places=4), st.integers(1, 10**9))
def test_a_margin_of_m_charges_what_a_markup_of_m_over_one_minus_m_charges(margin: Decimal, tokens: int) -> None:
    markup = (100 * margin / (100 - margin)).quantize(Decimal("0.0000000001"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "p.toml").write_text(
            'version = "p"\neffective_from = 2026-01-01T00:00:00Z\ncurrency = "USD"\n[[prices]]\nprovider = "p1"\n'
            'model = "a"\nmeters = { input_tokens = "0.000001" }\n'
        )
        (path / "r.toml").write_text(
            'version = "r"\neffective_from = 2026-01-01T00:00:00Z\n'
            f'[[rules]]\nid = "x"\nkind = "margin"\npercent = "{margin}"\nlabel = "l"\nunit = "u"\nreason = "r"\n'
            f'[[rules]]\nid = "y"\nkind = "markup"\npercent = "{markup}"\nmatch = {{ feature = "f1" }}\n'
            'label = "l"\nunit = "u"\nreason = "r"\n'
        )
        rater = Rater(PriceBooks.load(path / "p.toml"), RuleBooks.load(path / "r.toml"))
    tags = {"builder": "b", "tenant": "t", "provider": "p1", "model": "a"}
    rows = [
        (START, tags, {"input_tokens": Decimal(tokens)}),
        (START, {**tags, "feature": "f1"}, {"input_tokens": Decimal(tokens)}),
    ]
    by_margin, by_markup = rater.rate(*frames(rows))["customer_charge"].to_list()
    # The markup is rounded to 10 places of a percent, so they may differ by that much of the base, and by a rounding.
    assert abs(by_margin - by_markup) <= Decimal(tokens) / 10**6 / 10**12 + Decimal("0.000000000001")
