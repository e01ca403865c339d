"""Why a usage event costs what it costs: the same rules as billing/rating.py, one event at a time, every step kept.

The third reading of them, after the columns of the stream and the demo's oracle: plain `decimal`, nothing shared with
`Rater` but the books themselves. A property test holds the two equal (tests/property/test_explanation.py).
Units   quantities in the meter's unit, times in µs since 1970, amounts in the price book's currency, 12 places.
Errors  `BillingError` for a meter that the catalogue does not know. Unpriced is a value, with what was missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.errors import BillingError
from billing.explanation.arithmetic import Step, difference, product, total
from billing.explanation.charge import Charge, charge_of, earnings_of
from billing.money import EXACT
from billing.prices import Price, PriceBook, Quote, QuotedPrice, quote
from billing.surcharges import Rule, RuleBook
from billing.surcharges.precedence import Resolution, resolve
from topics.block import QUANTITY_SCALE, QUANTITY_UNIT
from topics.meters import Meter, MeterCatalogue, MeterKind

AMOUNTS = ("customer_charge", "provider_reward", "platform_fee", "builder_earnings")


@dataclass(frozen=True, slots=True)
class Amounts:
    """The base, and the charge split three ways."""

    base_cost: Decimal
    provider_reward: Decimal
    platform_fee: Decimal
    builder_earnings: Decimal
    customer_charge: Decimal

    @property
    def balanced(self) -> bool:
        """charge = reward + fee + earnings, to the last digit."""
        return total("", [self.provider_reward, self.platform_fee, self.builder_earnings]).exact == self.customer_charge


@dataclass(frozen=True, slots=True)
class MeterCost:
    """One meter that the price book prices: quantity × unit price. Without a price, `quoted` and `cost` are None."""

    meter: Meter
    quantity: Decimal
    price: Price | None  # as the book writes it, before the region's multiplier
    quoted: QuotedPrice | None
    cost: Step | None

    @property
    def missing(self) -> bool:
        """Whether the event waits for this price: a quantity of 0 needs none."""
        return self.quantity > 0 and self.quoted is None


@dataclass(frozen=True, slots=True)
class Counted:
    """A quantity that no price book prices; a rule may."""

    meter: Meter
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Lookup:
    """Which price entry was looked for, and what the book has instead."""

    provider: str
    served: str  # the model as the event names it
    model: str  # what that name stands for in the book: itself, unless it is an alias
    mode: str
    region: str
    others: tuple[str, ...]  # the entries of this model in other modes and regions, in words


@dataclass(frozen=True, slots=True)
class UsageExplanation:
    """All that rating one event did. Amounts are None, and `unpriced_reason` is not empty, where it has no price."""

    book: PriceBook | None
    rules: RuleBook | None
    lookup: Lookup
    quote: Quote | None
    meters: tuple[MeterCost, ...]
    counted: tuple[Counted, ...]
    resolution: Resolution  # the rule that applies, those that match too and lost, those that nearly match
    unpriced_reason: str  # "" | no_book | no_model | no_price | no_rule | no_unit
    base: Step | None
    share: Decimal | None
    share_is_default: bool
    reward: Step | None
    fee: Step | None
    charge: Charge | None
    earnings: Step | None
    amounts: Amounts | None

    @property
    def currency(self) -> str:
        """Of the amounts; empty without a book."""
        return self.book.currency if self.book else ""

    @property
    def prompt(self) -> Decimal:
        """What is compared with context tiers, in tokens; 0 where nobody asked."""
        return EXACT.scaleb(Decimal(self.quote.prompt if self.quote else 0), -QUANTITY_SCALE)


def explain_usage(
    tags: Mapping[str, str],
    usage: Mapping[str, Decimal],
    event_time: int,
    book: PriceBook | None,
    rules: RuleBook | None,
    catalogue: MeterCatalogue,
) -> UsageExplanation:
    """What `usage` with these tags at `event_time` comes to under these versions; None stands for "none yet"."""
    unknown = sorted(meter for meter in usage if meter not in catalogue)
    if unknown:
        raise BillingError(
            f"{', '.join(unknown)}: no meter of the catalogue any more, so nobody can say who prices it: declare it "
            "again (setting `meters`)"
        )
    millionths = {meter: int(EXACT.multiply(quantity, QUANTITY_UNIT)) for meter, quantity in usage.items()}
    quoted = quote(book, tags, millionths, event_time) if book else None
    meters, counted = _costs(usage, quoted, catalogue)
    canonical = book.canonical_model(tags["provider"], tags["model"]) if book else tags["model"]
    resolution = resolve(rules, tags, canonical) if rules else Resolution(None, (), ())
    rule = resolution.winner
    reason = _unpriced(tags, usage, book, meters, rule)
    base = reward = fee = earnings = None
    charge: Charge | None = None
    amounts: Amounts | None = None
    share = book.reward_share(tags["provider"]) if book else None
    if not reason and share is not None and rule is not None:
        base = total("base_cost", [each.cost.amount for each in meters if each.cost])
        reward = product("provider_reward", base.amount, share)
        fee = difference("platform_fee", base.amount, reward.amount)
        charge = charge_of(rule, base.amount, usage, book.currency if book else "")
        earnings = earnings_of(charge.amount, base.amount)
        amounts = Amounts(base.amount, reward.amount, fee.amount, earnings.amount, charge.amount)
    return UsageExplanation(
        book=book,
        rules=rules,
        lookup=_lookup(book, tags, canonical),
        quote=quoted,
        meters=meters,
        counted=counted,
        resolution=resolution,
        unpriced_reason=reason,
        base=base,
        share=share,
        share_is_default=book is not None and all(each.provider != tags["provider"] for each in book.rewards),
        reward=reward,
        fee=fee,
        charge=charge,
        earnings=earnings,
        amounts=amounts,
    )


def _costs(
    usage: Mapping[str, Decimal], quoted: Quote | None, catalogue: MeterCatalogue
) -> tuple[tuple[MeterCost, ...], tuple[Counted, ...]]:
    """In the order of the catalogue, which is the order in which people read them."""
    costs, counted = [], []
    for name in catalogue:
        if name not in usage:
            continue
        meter, quantity = catalogue[name], usage[name]
        if meter.kind is not MeterKind.INFERENCE:
            counted.append(Counted(meter, quantity))
            continue
        price = quoted.prices.get(name) if quoted else None
        cost = product(name, quantity, price.unit_price) if price else None
        costs.append(MeterCost(meter, quantity, _written(quoted, name, price), price, cost))
    return tuple(costs), tuple(counted)


def _written(quoted: Quote | None, meter: str, price: QuotedPrice | None) -> Price | None:
    """The price as it stands in the book: of the entry, the tier, the hours, or the hours' tier."""
    if quoted is None or price is None:
        return None
    layers = {"base": quoted.entry, "tier": quoted.tier, "hours": quoted.hours, "hours tier": quoted.hours_tier}
    layer = layers[price.origin]
    return layer.meters[meter] if layer else None


def _unpriced(
    tags: Mapping[str, str],
    usage: Mapping[str, Decimal],
    book: PriceBook | None,
    meters: tuple[MeterCost, ...],
    rule: Rule | None,
) -> str:
    """The first reason that applies; "" where the event has a price."""
    if book is None:
        return "no_book"
    if any(each.missing for each in meters):
        return "no_price" if tags["provider"] and tags["model"] else "no_model"
    if rule is None:
        return "no_rule"
    if rule.surcharge.needs_units and rule.meter not in usage:
        return "no_unit"
    return ""


def _lookup(book: PriceBook | None, tags: Mapping[str, str], canonical: str) -> Lookup:
    key = tags["provider"], canonical, tags["mode"], tags["region"]
    of_model = [each for each in book.prices if (each.provider, each.model) == key[:2]] if book else []
    others = tuple(each.words for each in of_model if each.key not in (key, (*key[:3], "")))
    return Lookup(tags["provider"], tags["model"], canonical, tags["mode"], tags["region"], others)
