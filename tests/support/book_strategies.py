"""Random books and events for properties: every condition that a price can have, every kind of rule, edges included."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from billing.loading import parse_version
from billing.prices import PriceBook, PriceBooks
from billing.surcharges import RuleBook, RuleBooks

START = datetime(2026, 1, 1, tzinfo=UTC)
INFERENCE = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
BUSINESS = ("pages", "conversations")
THRESHOLDS = (1000, 200_000)
KINDS = ("markup", "margin", "per_unit", "unit_price", "pass_through", "included")
ALIASES = {"a": ("a-2026-01-01", "a-latest"), "b": ("b-latest",)}
Row = tuple[datetime, dict[str, str], dict[str, Decimal]]

decimals = st.decimals(min_value=0, max_value=1000, places=11).map(lambda value: f"{value:f}")
percents = st.decimals(min_value=-99, max_value=500, places=10).map(lambda value: f"{value:f}")
margins = st.decimals(min_value=0, max_value=99, places=10).map(lambda value: f"{value:f}")
quantities = st.one_of(
    st.integers(0, 10**6).map(Decimal),
    st.decimals(min_value=0, max_value=10**6, places=6),
    st.just(Decimal(0)),
    st.sampled_from([Decimal(bound) + step for bound in THRESHOLDS for step in (0, 1, Decimal("0.000001"), -1)]),
)


def _table(draw: st.DrawFn) -> str:
    """Prices of some meters as an inline table."""
    meters = sorted(draw(st.sets(st.sampled_from(INFERENCE), min_size=1)))
    return "{ " + ", ".join(f'{meter} = "{draw(decimals)}"' for meter in meters) + " }"


def _tiers(draw: st.DrawFn) -> str:
    bounds = draw(st.lists(st.sampled_from(THRESHOLDS), unique=True, max_size=2))
    tiers = [f"{{ {draw(st.sampled_from(['above', 'from']))} = {bound}, meters = {_table(draw)} }}" for bound in bounds]
    return "[" + ", ".join(tiers) + "]"


def _hours(draw: st.DrawFn) -> str:
    zone = draw(st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York"]))
    spans = draw(
        st.sampled_from([[("08:00", "17:30")], [("16:30", "00:30")], [("22:00", "24:00"), ("00:00", "06:15")]])
    )
    days = draw(st.sampled_from(["", 'days = ["mon", "thu", "sun"], ']))
    each = [
        f'{{ from = "{start}", to = "{end}", zone = "{zone}", {days}meters = {_table(draw)}, tiers = {_tiers(draw)} }}'
        for start, end in spans
    ]
    return f"[{', '.join(each)}]"


@st.composite
def price_books(draw: st.DrawFn) -> list[str]:
    """Texts of one to three versions, ten days apart."""
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
        entries = sorted(draw(st.sets(keys, min_size=1, max_size=5)))
        for model, mode, region in entries:
            lines.append(
                f'[[prices]]\nprovider = "p1"\nmodel = "{model}"\nmode = "{mode}"\nregion = "{region}"\n'
                f"meters = {_table(draw)}"
            )
            if draw(st.booleans()):
                lines.append(f"tiers = {_tiers(draw)}")
            if draw(st.booleans()):
                lines.append(f"hours = {_hours(draw)}")
        for model in sorted({model for model, _, _ in entries}):
            names = draw(st.lists(st.sampled_from(ALIASES[model]), unique=True))
            if names:
                lines.append(f'[[aliases]]\nprovider = "p1"\nmodel = "{model}"\nnames = {names}'.replace("'", '"'))
        if draw(st.booleans()):
            lines.append('[[regions]]\nprovider = "p1"\nregion = "us"\nmultiplier = "1.1"')
            models = sorted({model for model, _, _ in entries})
            lines.append(f'[[regions]]\nprovider = "p1"\nregion = "us"\nmultiplier = "1.5"\nmodels = ["{models[0]}"]')
        texts.append("\n".join(lines))
    return texts


def price_books_of(texts: Iterable[str]) -> PriceBooks:
    """The books of these texts, in this order."""
    return PriceBooks([parse_version(text, ".toml", "drawn", PriceBook) for text in texts])


def rule_books_of(texts: Iterable[str]) -> RuleBooks:
    """The same for rules; BookError where two of them tie."""
    return RuleBooks([parse_version(text, ".toml", "drawn", RuleBook) for text in texts])


@st.composite
def rule_books(draw: st.DrawFn) -> list[str]:
    """Texts of one or two versions, a week apart; their rules may tie."""
    texts = []
    for number in range(draw(st.integers(1, 2))):
        lines = [
            f'version = "r{number}"',
            f"effective_from = {(START + timedelta(days=7 * number)).isoformat()}",
            'model_classes = { heavy = ["a"], light = ["b", "a-latest"] }',
        ]
        fields = {
            "tenant": ("t1", "t2"), "builder": ("b1",), "feature": ("f1", "f2"), "model": ("a", "b", "a-2026-01-01"),
            "model_class": ("heavy", "light"), "mode": ("batch",),
        }  # fmt: skip
        match = st.sets(st.sampled_from(sorted(fields)), max_size=3)
        for rule in range(draw(st.integers(1, 4))):
            chosen = {field: draw(st.sampled_from(fields[field])) for field in sorted(draw(match))}
            kind = draw(st.sampled_from(KINDS))
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


times = st.one_of(
    st.integers(-86_400, 40 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds)),
    st.tuples(
        st.integers(0, 40),
        st.sampled_from(["00:30", "06:15", "08:00", "16:30", "17:30", "22:00", "00:00"]),
        st.booleans(),
    ).map(
        lambda drawn: (
            START
            + timedelta(days=drawn[0], hours=int(drawn[1][:2]), minutes=int(drawn[1][3:]))
            - timedelta(microseconds=int(drawn[2]))
        )
    ),
)


@st.composite
def events(draw: st.DrawFn) -> Row:
    """Time, tags and usage of one event."""
    tags = {
        "builder": draw(st.sampled_from(["b1", "b2"])),
        "tenant": draw(st.sampled_from(["t1", "t2", "t3"])),
        "feature": draw(st.sampled_from(["", "f1", "f2"])),
        "provider": draw(st.sampled_from(["p1", "p1", "p1", ""])),
        "model": draw(st.sampled_from(["a", "a", "b", "c", "a-2026-01-01", "a-latest", "b-latest"])),
        "requested_model": draw(st.sampled_from(["", "a", "b"])),
        "mode": draw(st.sampled_from(["standard", "batch"])),
        "region": draw(st.sampled_from(["", "eu", "us"])),
    }
    meters = draw(st.sets(st.sampled_from(INFERENCE + BUSINESS), min_size=1))
    return draw(times), tags, {meter: draw(quantities) for meter in sorted(meters)}
