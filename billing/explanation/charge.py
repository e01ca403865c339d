"""What a rule makes of the base, step by step, one function for each kind of surcharge.

Written apart from the columns of billing/surcharges: the same rules, read again, so that one can check the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.errors import BillingError
from billing.explanation.arithmetic import Step, difference, plain, product, quotient, total
from billing.money import EXACT
from billing.surcharges import Rule

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Bound:
    """The cap or floor of a rule: what it was held against, and what is charged after it."""

    name: str  # cap | floor
    limit: Decimal
    before: Decimal
    after: Decimal

    @property
    def binds(self) -> bool:
        """Whether it changed the charge."""
        return self.after != self.before


@dataclass(frozen=True, slots=True)
class Charge:
    """The customer's charge: in words, as steps of which the last is what the kind makes of it, then the bounds."""

    words: str
    steps: tuple[Step, ...]
    bounds: tuple[Bound, ...]

    @property
    def amount(self) -> Decimal:
        """What the customer pays."""
        return self.bounds[-1].after if self.bounds else self.steps[-1].amount


def charge_of(rule: Rule, base: Decimal, usage: Mapping[str, Decimal], currency: str) -> Charge:
    """The charge under `rule`; the rule's meter, where its kind needs one, is in `usage` (billing/rating.py)."""
    kind = _KINDS.get(rule.kind)
    if kind is None:
        raise BillingError(f"rule {rule.id}: how a rule of kind {rule.kind} charges is not explained here yet")
    words, steps = kind(rule, base, usage.get(rule.meter or "", ZERO))
    if rule.amount is not None:
        words = f"{plain(rule.amount)} {currency} for each {rule.unit}{words}"
    amount = steps[-1].amount
    bounds = []
    for name, limit in (("cap", rule.cap), ("floor", rule.floor)):
        if limit is not None:
            after = min(amount, limit) if name == "cap" else max(amount, limit)
            bounds.append(Bound(name, limit, amount, after))
            amount = after
    return Charge(words, tuple(steps), tuple(bounds))


_Steps = tuple[str, list[Step]]  # of a rule with an amount, what follows that amount in words


def _percentage(name: str, sign: str, percent: Decimal) -> Step:
    hundredth = percent.scaleb(-2, EXACT)
    value = EXACT.add(Decimal(1), hundredth) if sign == "+" else EXACT.subtract(Decimal(1), hundredth)
    shown = f"({plain(percent)})" if percent < 0 else plain(percent)
    return Step(name, f"1 {sign} {shown} ÷ 100", value, value)


def _markup(rule: Rule, base: Decimal, units: Decimal) -> _Steps:
    percent = rule.percent or ZERO
    factor = _percentage("factor", "+", percent)
    words = f"{plain(percent)} % on top" if percent >= 0 else f"{plain(-percent)} % less"
    return f"what the AI cost, {words}", [factor, product("customer_charge", base, factor.exact)]


def _margin(rule: Rule, base: Decimal, units: Decimal) -> _Steps:
    percent = rule.percent or ZERO
    divisor = _percentage("divisor", "−", percent)
    words = f"a price of which {plain(percent)} % is margin, and the rest is what the AI cost"
    return words, [divisor, quotient("customer_charge", base, divisor.exact)]


def _per_unit(rule: Rule, base: Decimal, units: Decimal) -> _Steps:
    amount = rule.amount or ZERO
    surcharge = product("surcharge", units, amount)
    return ", and what the AI cost", [surcharge, total("customer_charge", [base, surcharge.amount])]


def _unit_price(rule: Rule, base: Decimal, units: Decimal) -> _Steps:
    amount = rule.amount or ZERO
    return ", whatever the AI cost", [product("customer_charge", units, amount)]


def _pass_through(rule: Rule, base: Decimal, units: Decimal) -> _Steps:
    return "what the AI cost", [total("customer_charge", [base])]


def _included(rule: Rule, base: Decimal, units: Decimal) -> _Steps:
    return "nothing: it is included, and the Builder pays for the AI", [total("customer_charge", [ZERO])]


_KINDS: dict[str, Callable[[Rule, Decimal, Decimal], _Steps]] = {
    "markup": _markup,
    "margin": _margin,
    "per_unit": _per_unit,
    "unit_price": _unit_price,
    "pass_through": _pass_through,
    "included": _included,
}


def explained_kinds() -> frozenset[str]:
    """The kinds that can be explained: all of billing/surcharges/kinds.py, which a test holds."""
    return frozenset(_KINDS)


def earnings_of(charge: Decimal, base: Decimal) -> Step:
    """What is left for the Builder, negative where the Builder funds the usage."""
    return difference("builder_earnings", charge, base)
