"""Lints of earnings: what last month's usage would have come to under the book, rule by rule (trial.py)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal

from billing.money import EXACT
from billing.surcharges.lints.finding import Check, Found, Severity, Subject
from billing.surcharges.lints.last_month import ZERO, UsageGroup
from billing.surcharges.lints.trial import Tried

STEP = Decimal("0.000000000001")  # one rounding of one event
FREE = "included"
ENOUGH_EVENTS = 10  # before it is said that none, or each, of them is past a bound


def _loses_money(subject: Subject) -> Iterator[Found]:
    for rule_id, tried in _charging(subject):
        for currency, some in _by_currency(tried):
            if not _negative(some):
                continue
            base, most = _sum(each.group.base_cost for each in some), _sum(each.charge_most for each in some)
            worst = min(_by_model(some).items(), key=lambda item: _sum(each.earnings_most for each in item[1]))[0]
            about = "" if _exact(some) else "at most "
            yield Found(
                rule_id,
                f"{_told(some)} of {_month(subject)} cost {_money(base, currency)} and would be charged "
                f"{about}{_money(most, currency)}: the Builder pays the difference, most of it for {worst}; raise the "
                "price, or keep expensive models apart in a rule of their own",
            )


def _loses_on_model(subject: Subject) -> Iterator[Found]:
    for rule_id, tried in _charging(subject):
        for currency, some in _by_currency(tried):
            models = _by_model(some)
            losing = sorted(model for model, part in models.items() if _negative(part))
            if not losing or _negative(some):
                continue
            loss = EXACT.minus(_sum(each.earnings_most for model in losing for each in models[model]))
            yield Found(
                rule_id,
                f"it earns on the whole, but loses {_money(loss, currency)} of {_month(subject)} on "
                f"{', '.join(losing)}: light usage pays for heavy usage until customers shift; give the expensive "
                "models a rule of their own",
            )


def _included_unbounded(subject: Subject) -> Iterator[Found]:
    for rule in subject.book.rules:
        if rule.kind != FREE or {"model", "model_class"} & rule.match.keys():
            continue
        tried = subject.trial.by_rule().get(rule.id, [])
        costs = [
            f"{_money(_sum(each.group.base_cost for each in some), currency)} for {_told(some)}"
            for currency, some in _by_currency(tried)
        ]
        funded = f" ({_month(subject)}: {', '.join(costs)})" if costs else ""
        yield Found(
            rule.id,
            f"the Builder pays for any model that serves this usage, the most expensive one too{funded}: name a model "
            "or a class of models, and charge for the others; an allowance for a period belongs to the statement",
        )


def _drops_usage(subject: Subject) -> Iterator[Found]:
    groups = subject.trial.without_rule
    if not groups or subject.book.retroactive:  # what such a book has no rule for stays as it is
        return
    examples: dict[str, int] = defaultdict(int)
    for group in groups:
        examples[_usage(group)] += group.rated_events
    largest = sorted(examples, key=lambda name: (-examples[name], name))[:3]
    yield Found(
        "",
        f"{sum(examples.values())} events that were charged in {_month(subject)} would have no rule, and wait unpriced "
        f"({'; '.join(f'{examples[name]} of {name}' for name in largest)}): add a rule for them, or one for everything",
    )


def _no_unit(subject: Subject) -> Iterator[Found]:
    for rule_id, tried in subject.trial.by_rule().items():
        lacking = [each for each in tried if not each.priced]
        if lacking and len(lacking) < len(tried):  # where all lack it, idle-meter says so
            yield Found(
                rule_id,
                f"{_events(lacking)} of {_told(tried)} of {_month(subject)} have no "
                f"{lacking[0].rule.meter}, and would wait unpriced (no_unit): emit the meter with each of them, or "
                "write a rule for those without",
            )


def _never_binds(subject: Subject) -> Iterator[Found]:
    for rule_id, tried in subject.trial.by_rule().items():
        rule = tried[0].rule
        if rule.kind == FREE or (rule.floor is not None and rule.floor == rule.cap):
            continue
        for currency, some in _by_currency([each for each in tried if each.priced]):
            if _events(some) < ENOUGH_EVENTS:
                continue
            least, most = min(each.event_least for each in some), max(each.event_most for each in some)
            for name, bound, idle, always in (
                ("floor", rule.floor, (rule.floor or ZERO) <= least, most <= (rule.floor or ZERO)),
                ("cap", rule.cap, most <= (rule.cap or ZERO), (rule.cap or ZERO) <= least),
            ):
                if bound and (idle or always):
                    seen = f"{_told(some)} of {_month(subject)}"
                    yield Found(rule_id, _bound(name, bound, always, seen, rule.kind, currency, least, most))


def _bound(
    name: str, bound: Decimal, always: bool, seen: str, kind: str, currency: str, least: Decimal, most: Decimal
) -> str:
    if always:
        return (
            f"every one of {seen} would cost the {name}, {_money(bound, currency)}: the {kind} means nothing; set the "
            f"{name} where it is the exception"
        )
    range_seen = f"{_money(least, currency)} to {_money(most, currency)}"
    return (
        f"none of {seen} would reach the {name} of {_money(bound, currency)} (they come to {range_seen}): it protects "
        "from nothing seen yet; make sure that it has the right number of zeros"
    )


def _charging(subject: Subject) -> Iterator[tuple[str, list[Tried]]]:
    """Rules that are meant to charge, with the usage that they would price."""
    for rule_id, tried in subject.trial.by_rule().items():
        some = [each for each in tried if each.priced and each.rule.kind != FREE]
        if some:
            yield rule_id, some


def _by_currency(tried: Sequence[Tried]) -> list[tuple[str, list[Tried]]]:
    found: dict[str, list[Tried]] = defaultdict(list)
    for each in tried:
        found[each.group.currency].append(each)
    return sorted(found.items())


def _by_model(tried: Sequence[Tried]) -> dict[str, list[Tried]]:
    found: dict[str, list[Tried]] = defaultdict(list)
    for each in tried:
        found[each.group.tags["model"] or "usage without a model"].append(each)
    return found


def _negative(tried: Sequence[Tried]) -> bool:
    """Whether the Builder loses for certain, by more than the rounding of single events."""
    return _sum(each.earnings_most for each in tried) < -STEP * _events(tried)


def _exact(tried: Sequence[Tried]) -> bool:
    return all(each.charge_least == each.charge_most for each in tried)


def _events(tried: Sequence[Tried]) -> int:
    return sum(each.group.rated_events for each in tried)


def _told(tried: Sequence[Tried]) -> str:
    events = _events(tried)
    return f"{events} event" if events == 1 else f"{events} events"


def _month(subject: Subject) -> str:
    return subject.last_month.name if subject.last_month else ""


def _usage(group: UsageGroup) -> str:
    shown = ("builder", "tenant", "feature", "model")
    return ", ".join(f"{name} {group.tags[name]}" for name in shown if group.tags[name])


def _sum(amounts: Iterator[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def _money(amount: Decimal, currency: str) -> str:
    text = f"{amount:f}"
    return f"{currency} {text.rstrip('0').rstrip('.') if '.' in text else text}"


CHECKS = (
    Check("drops-usage", Severity.ERROR, "usage that was charged last month would have no rule", _drops_usage,
          needs="last_month"),
    Check("loses-money", Severity.WARNING, "earnings on last month's usage would be negative", _loses_money,
          needs="last_month"),
    Check("loses-on-model", Severity.WARNING, "earnings would be negative on some models, and positive on the whole",
          _loses_on_model, needs="last_month"),
    Check("included-unbounded", Severity.WARNING, "`included` without a model or a class of models",
          _included_unbounded),
    Check("no-unit", Severity.WARNING, "some of last month's events lack the meter of their `unit_price`", _no_unit,
          needs="last_month"),
    Check("never-binds", Severity.WARNING, "floor or cap that no event, or every event, of last month would reach",
          _never_binds, needs="last_month"),
)  # fmt: skip
