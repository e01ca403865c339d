"""The books of every simulated run, twice: as files for the rater, and as a few plain lines for the auditor.

They are simple on purpose: what is tested is not rating (tests/golden does that) but that an event is rated by its own
time, however late and however often it is processed.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path

from billing.prices import PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBooks
from topics.events import UsageEvent

START = datetime(2026, 1, 30, 12, tzinfo=UTC)  # when the logs of all runs begin; a month ends soon after
EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)
STEP = Decimal("0.000000000001")
SHARE = Decimal("0.7")

PRICES: dict[str, tuple[datetime, dict[str, dict[str, str]]]] = {
    "p1": (
        START - timedelta(days=3),
        {
            "small": {"input_tokens": "0.0000025", "output_tokens": "0.00001"},
            "large": {"input_tokens": "0.000015123457", "output_tokens": "0.00006"},
        },
    ),
    "p2": (
        START + timedelta(hours=3),
        {
            "small": {"input_tokens": "0.000002", "output_tokens": "0.00001"},
            "large": {"input_tokens": "0.000015123457", "output_tokens": "0.000061"},
            "fresh": {"input_tokens": "0.0000000001", "output_tokens": "0.000000000007"},
        },
    ),
    "p3": (
        START + timedelta(hours=30),
        {
            "large": {"input_tokens": "0.00001", "output_tokens": "0.00005"},
            "fresh": {"input_tokens": "0.0000001", "output_tokens": "0.000000007"},
        },
    ),
}
# Version -> (start, percent of the markup, whether it is for every builder): gamma has no rule before r2.
RULES: dict[str, tuple[datetime, str, bool]] = {
    "r1": (START - timedelta(days=4), "25", False),
    "r2": (START + timedelta(hours=5), "33.3333333333", True),
    "r3": (START + timedelta(hours=26), "-10", True),
}
PER_REQUEST = "0.05"


@functools.cache
def rater() -> Rater:
    """The real rater with these books; one per process, for it only remembers what it looked up."""
    with tempfile.TemporaryDirectory() as folder:
        prices, rules = write_books(Path(folder))
        return Rater(PriceBooks.load(prices), RuleBooks.load(rules))


def write_books(folder: Path) -> tuple[Path, Path]:
    """The price books and the rule books as files, each kind in a folder of its own."""
    prices, rules = folder / "prices", folder / "rules"
    prices.mkdir()
    rules.mkdir()
    for version, (start, models) in PRICES.items():
        (prices / f"{version}.toml").write_text(_price_file(version, start, models), encoding="utf-8")
    for version, (start, percent, for_all) in RULES.items():
        (rules / f"{version}.toml").write_text(_rule_file(version, start, percent, for_all), encoding="utf-8")
    return prices, rules


def _price_file(version: str, start: datetime, models: Mapping[str, Mapping[str, str]]) -> str:
    lines = [f'version = "{version}"', f"effective_from = {start.isoformat()}", 'currency = "USD"']
    for model, meters in models.items():
        lines += ["[[prices]]", 'provider = "orange"', f'model = "{model}"', "[prices.meters]"]
        lines += [f'{meter} = "{price}"' for meter, price in meters.items()]
    return "\n".join(lines)


def _rule_file(version: str, start: datetime, percent: str, for_all: bool) -> str:
    def rule(name: str, kind: str, match: str, more: str = "") -> str:
        words = 'label = "AI"\nunit = "request"\nreason = "for using it"'
        return f'[[rules]]\nid = "{name}"\nkind = "{kind}"\nmatch = {{{match}}}\n{words}\n{more}'

    return "\n".join(
        [
            f'version = "{version}"',
            f"effective_from = {start.isoformat()}",
            rule("up", "markup", "" if for_all else 'builder = "acme"', f'percent = "{percent}"'),
            rule("each", "per_unit", 'builder = "beta"', f'amount = "{PER_REQUEST}"\nmeter = "requests"'),
            # More specific than `up` of r1 would be: a feature weighs less than a builder, so r1 needs both.
            rule("free", "included", 'feature = "free"' + ("" if for_all else ', builder = "acme"')),
        ]
    )


@dataclass(frozen=True, slots=True)
class Bill:
    """What the auditor makes of one usage event; amounts are None where it is unpriced."""

    pricing: str
    unpriced_reason: str
    price_version: str
    rule_version: str
    rule_id: str
    currency: str
    amounts: dict[str, Decimal | None]  # base_cost, customer_charge, provider_reward, platform_fee, builder_earnings


def bill(event: UsageEvent) -> Bill:
    """The slow, plain way, sharing nothing with billing/."""
    price_version = _version(event.time, {name: start for name, (start, _) in PRICES.items()})
    rule_version = _version(event.time, {name: start for name, (start, _, _) in RULES.items()})
    prices = PRICES[price_version][1].get(event.model, {}) if price_version else {}
    used = {meter: q for meter, q in event.usage.items() if meter in ("input_tokens", "output_tokens")}
    rule_id = ""
    if rule_version:
        percent, for_all = RULES[rule_version][1:]
        if event.builder == "beta":
            rule_id = "each"
        elif for_all or event.builder == "acme":
            rule_id = "free" if event.feature == "free" else "up"
    reason = ""
    if not price_version:
        reason = "no_book"
    elif any(quantity > 0 and meter not in prices for meter, quantity in used.items()):
        reason = "no_price" if event.model else "no_model"
    elif not rule_id:
        reason = "no_rule"
    amounts: dict[str, Decimal | None] = dict.fromkeys(
        ("base_cost", "customer_charge", "provider_reward", "platform_fee", "builder_earnings")
    )
    if not reason:
        base = sum((_round(q * Decimal(prices[meter])) for meter, q in used.items() if q > 0), Decimal(0))
        reward = _round(EXACT.multiply(base, SHARE))
        if rule_id == "each":
            charge = base + _round(event.usage.get("requests", Decimal(0)) * Decimal(PER_REQUEST))
        elif rule_id == "free":
            charge = Decimal(0)
        else:
            charge = _round(EXACT.multiply(base, 1 + Decimal(percent) / 100))
        amounts = {
            "base_cost": base,
            "customer_charge": charge,
            "provider_reward": reward,
            "platform_fee": base - reward,
            "builder_earnings": charge - base,
        }
    return Bill(
        "unpriced" if reason else "rated",
        reason,
        price_version,
        rule_version,
        rule_id,
        "USD" if price_version else "",
        amounts,
    )


def _version(moment: datetime, starts: Mapping[str, datetime]) -> str:
    return max(((start, name) for name, start in starts.items() if start <= moment), default=(moment, ""))[1]


def _round(amount: Decimal) -> Decimal:
    return amount.quantize(STEP, context=EXACT)
