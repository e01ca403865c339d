"""Lints of amounts: percentages and bounds that are probably not what was meant. They look at the rule alone."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from billing.money import ROUNDING
from billing.surcharges.lints.finding import Check, Found, Severity, Subject
from billing.surcharges.rule import Rule

HIGH_MULTIPLE = 5  # times what the AI costs: a margin of 80 %, a markup of 400 %
ONE, HUNDRED, CENT = Decimal(1), Decimal(100), Decimal("0.01")


def _multiple(rule: Rule) -> Decimal | None:
    """How many times the base a percentage makes of it."""
    if rule.percent is None or rule.parameter is None:
        return None
    return rule.parameter if rule.kind == "markup" else ROUNDING.divide(ONE, rule.parameter)


def _high_price(subject: Subject) -> Iterator[Found]:
    for rule in subject.book.rules:
        multiple = _multiple(rule)
        if rule.percent is not None and multiple is not None and multiple >= HIGH_MULTIPLE:
            times = _number(multiple.quantize(CENT))
            yield Found(
                rule.id,
                f"a {rule.kind} of {_number(rule.percent)} % charges {times} times what the AI costs: customers can "
                "look up what models cost; if the price is for the work around it, charge per unit of that work "
                "(per_unit or unit_price)",
            )


def _fraction(subject: Subject) -> Iterator[Found]:
    for rule in subject.book.rules:
        if rule.percent is not None and 0 < abs(rule.percent) < 1:
            as_meant = _number(rule.percent.scaleb(2))
            yield Found(
                rule.id,
                f'percent "{_number(rule.percent)}" is {_number(rule.percent)} %, less than a hundredth of the base: '
                f'{as_meant} % is written "{as_meant}"',
            )


def _discount(subject: Subject) -> Iterator[Found]:
    for rule in subject.book.rules:
        if rule.percent is None or rule.percent >= 0:
            continue
        if rule.percent == -HUNDRED:
            yield Found(rule.id, 'a markup of -100 % charges nothing: write kind = "included", which says so')
        else:
            yield Found(
                rule.id,
                f"a markup of {_number(rule.percent)} % charges less than the AI costs, and the Builder pays the "
                "difference on every event: make sure that it is meant, or write a positive percentage",
            )


def _no_effect(subject: Subject) -> Iterator[Found]:
    for rule in subject.book.rules:
        if rule.percent == 0 or (rule.amount == 0 and rule.kind == "per_unit"):
            yield Found(
                rule.id, f'a {rule.kind} of 0 charges what the AI costs: write kind = "pass_through", which says so'
            )
        elif rule.amount == 0:
            yield Found(rule.id, f'a {rule.kind} of 0 charges nothing: write kind = "included", which says so')


def _included_charges(subject: Subject) -> Iterator[Found]:
    for rule in subject.book.rules:
        if rule.kind == "included" and rule.floor:
            yield Found(
                rule.id,
                f"it says included, and its floor charges {_number(rule.floor)} for every event: remove the floor, or "
                "choose a kind that charges",
            )


def _bounds(subject: Subject) -> Iterator[Found]:
    """Floors and caps that do nothing, or leave nothing to the price between them."""
    for rule in subject.book.rules:
        if rule.floor == 0:
            yield Found(rule.id, "floor 0 never binds, for no charge is below 0: remove it")
        if rule.kind == "included" and rule.cap is not None:
            yield Found(rule.id, f"cap {_number(rule.cap)} never binds, for included usage charges nothing: remove it")
        elif rule.cap == 0:
            yield Found(rule.id, 'cap 0 charges nothing whatever the price is: write kind = "included", which says so')
        elif rule.floor is not None and rule.floor == rule.cap:
            yield Found(
                rule.id,
                f"floor and cap are both {_number(rule.floor)}: every event costs that, and the {rule.kind} means "
                'nothing; write kind = "unit_price" per request, which says so',
            )
        elif rule.cap is not None and rule.amount is not None and rule.amount > rule.cap:
            yield Found(
                rule.id,
                f"cap {_number(rule.cap)} is below the amount {_number(rule.amount)} for a single {rule.unit}: the "
                "amount is never charged; raise the cap or lower the amount",
            )


def _number(value: Decimal) -> str:
    """As a person writes it: no exponent, no zeros at the end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


CHECKS = (
    Check("included-charges", Severity.ERROR, "`included` with a floor above 0", _included_charges),
    Check("fraction", Severity.WARNING, "a percentage below 1, which looks like 0.2 for 20 %", _fraction),
    Check("high-price", Severity.WARNING, f"margin or markup of {HIGH_MULTIPLE} times the base or more", _high_price),
    Check("discount", Severity.WARNING, "a negative markup: the Builder pays part of the base", _discount),
    Check("no-effect", Severity.WARNING, "0 percent, or 0 for a unit: another kind says the same", _no_effect),
    Check("idle-bound", Severity.WARNING, "floor or cap that never binds, or that replaces the price", _bounds),
)  # fmt: skip
