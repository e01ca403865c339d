"""Lints of meters: what a rule counts, and how it calls it, against the catalogue and last month's usage."""

from __future__ import annotations

from collections.abc import Iterator

from billing.surcharges.lints.finding import Check, Found, Severity, Subject
from billing.surcharges.rule import Rule
from topics.meters import Meter


def _unknown_meter(subject: Subject) -> Iterator[Found]:
    for rule in subject.book.rules:
        if rule.meter is not None and rule.meter not in subject.catalogue:
            yield Found(
                rule.id,
                f"{rule.meter} is no meter of the catalogue: no event can have it; correct the name, or declare the "
                "meter (setting `meters`)",
            )


def _wrong_unit(subject: Subject) -> Iterator[Found]:
    for rule, meter in _counted(subject):
        words = _words(rule.unit)
        others = {each.unit.casefold() for each in subject.catalogue.values()}
        if meter.unit.casefold() not in words and (other := next((word for word in words if word in others), None)):
            yield Found(
                rule.id,
                f"the statement would count in {other}s what is counted in {meter.unit}s (meter {meter.name}): the "
                f'customer is billed for something else; write unit = "{meter.unit}", or choose the meter of {other}s',
            )


def _other_unit(subject: Subject) -> Iterator[Found]:
    for rule, meter in _counted(subject):
        words = _words(rule.unit)
        others = {each.unit.casefold() for each in subject.catalogue.values()}
        if not any(word in others for word in words):
            yield Found(
                rule.id,
                f'unit "{rule.unit}" is not that of meter {meter.name} ({meter.unit}): make sure that every '
                f"{meter.unit} is one {rule.unit} to the customer, or write the {meter.unit} into the unit",
            )


def _idle_meter(subject: Subject) -> Iterator[Found]:
    month = subject.last_month
    if month is None or not month.groups:
        return
    emitted, applied = month.emitted, subject.trial.by_rule()
    for rule in subject.book.rules:
        if rule.meter is None or rule.meter not in subject.catalogue:
            continue
        effect = "all of its usage would wait unpriced (no_unit)" if rule.surcharge.needs_units else "it adds nothing"
        if rule.meter not in emitted:
            yield Found(
                rule.id,
                f"nobody emitted {rule.meter} in {month.name}: {effect}; emit the meter first, or charge for one of "
                f"{', '.join(sorted(emitted)[:5])}",
            )
            continue
        tried = applied.get(rule.id, [])
        if tried and not any(each.group.usage.get(rule.meter) for each in tried):
            events = sum(each.group.rated_events for each in tried)
            yield Found(
                rule.id,
                f"none of the {events} events in {month.name} to which it would apply has {rule.meter}: {effect}; emit "
                "the meter there, or charge for another one",
            )


def _counted(subject: Subject) -> Iterator[tuple[Rule, Meter]]:
    for rule in subject.book.rules:
        if rule.meter is not None and rule.meter in subject.catalogue:
            yield rule, subject.catalogue[rule.meter]


def _words(unit: str) -> list[str]:
    """The words of a unit, also without the ending of a plural."""
    words = unit.casefold().replace("-", " ").split()
    return [form for word in words for form in (word, word.removesuffix("s"))]


CHECKS = (
    Check("unknown-meter", Severity.ERROR, "a meter that the catalogue does not have", _unknown_meter),
    Check("wrong-unit", Severity.ERROR, "the unit is that of another meter than the one counted", _wrong_unit),
    Check("other-unit", Severity.WARNING, "the unit is a word of the Builder's own for the meter's unit", _other_unit),
    Check("idle-meter", Severity.WARNING, "a surcharge on a meter that nobody emitted last month, or not where it "
          "applies", _idle_meter, needs="last_month"),
)  # fmt: skip
