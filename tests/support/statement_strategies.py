"""Plans, usage and grants of any shape, for laws of statements. Amounts as rating makes them: 12 places, balanced."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from billing.credits import Grant
from billing.periods import MONTHS, Period, parse_period
from billing.plans import Plan, Segment, Subscription, segment_of, whole
from billing.statements import UsageLine

OCTOBER = parse_period(MONTHS, "2026-10")
NOVEMBER = parse_period(MONTHS, "2026-11")
UNITS = (("tasks", "task"), ("pages", "page"))
# Rules r1 to r3 count tasks, r4 counts pages, r5 counts something that customers of a plan may not see.
RULES = {"r1": "task", "r2": "task", "r3": "task", "r4": "page", "r5": "blob"}
METERS = {"task": "tasks", "page": "pages", "blob": "blobs"}
amounts = st.integers(0, 5 * 10**12).map(lambda number: Decimal(number).scaleb(-12))
quantities = st.one_of(
    st.integers(0, 200).map(Decimal), st.integers(0, 200 * 10**6).map(lambda number: Decimal(number).scaleb(-6))
)


@st.composite
def usage_lines(draw: st.DrawFn, max_size: int = 6) -> list[UsageLine]:
    """Usage under a few rules, providers and features; never below 0."""
    rows = st.tuples(
        st.sampled_from(sorted(RULES)), st.sampled_from(["north", "lumen", ""]), st.sampled_from(["chat", "draft"]),
        quantities, amounts, amounts, amounts,
    )  # fmt: skip
    return [usage(*row) for row in draw(st.lists(rows, max_size=max_size))]


def usage(
    rule: str, provider: str, feature: str, quantity: Decimal, charge: Decimal, reward: Decimal, fee: Decimal
) -> UsageLine:
    """A usage line that balances: what charge, reward and fee leave is the Builder's."""
    word = RULES[rule]
    return UsageLine(
        rule, f"Line {rule}", word, f"Rule {rule} says so.", provider, feature, "USD",
        {METERS[word]: quantity, "input_tokens": Decimal(1000)}, 1, charge, reward, fee, charge - reward - fee,
    )  # fmt: skip


def taken_back(line: UsageLine) -> UsageLine:
    """The line that cancels this one."""
    return line._replace(
        quantities={meter: -quantity for meter, quantity in line.quantities.items()},
        events=-line.events,
        charge=-line.charge,
        reward=-line.reward,
        fee=-line.fee,
        earnings=-line.earnings,
    )


def _text(amount: Decimal) -> str:
    return f"{amount:f}"


@st.composite
def plans(draw: st.DrawFn, *, rollover: bool = False, prepaid: bool = False) -> Plan:
    """A plan with anything that a plan can have."""
    funding = ["builder", "platform", *(["prepaid"] if prepaid else [])]
    allowances: list[dict[str, Any]] = []
    for number, (meter, _) in enumerate(draw(st.lists(st.sampled_from(UNITS), max_size=3))):
        allowance: dict[str, Any] = {
            "id": f"a{number}",
            "label": f"Allowance {number}",
            "unit": meter,
            "quantity": _text(draw(quantities.filter(bool))),
            "funding": draw(st.sampled_from(funding)),
            "rules": draw(st.one_of(st.just([]), st.permutations(["r1", "r2", "r4"]))),
        }
        if rollover and allowance["funding"] != "prepaid":
            allowance["rollover"] = True
            if draw(st.booleans()):
                allowance["rollover_max"] = _text(draw(quantities))
        allowances.append(allowance)
    tiers = [
        {
            "rule": rule,
            "kind": draw(st.sampled_from(["volume", "graduated"])),
            "steps": [
                {"above": above, "price": _text(draw(amounts))}
                for above in ("0", "20", "100")[: draw(st.integers(1, 3))]
            ],
        }
        for rule in draw(st.lists(st.sampled_from(sorted(RULES)), max_size=2, unique=True))
    ]
    minimum = draw(st.one_of(st.just(Decimal(0)), amounts))
    cap = draw(
        st.none()
        | st.fixed_dictionaries(
            {
                "amount": amounts.map(lambda more: _text(minimum + more)),
                "then": st.sampled_from(["stop", "builder", "continue"]),
            }
        )
    )
    return Plan.model_validate(
        {
            "id": draw(st.sampled_from(["basic", "pro"])),
            "label": "Plan",
            "fee": _text(draw(amounts)),
            "units": [{"meter": meter, "one": one, "many": meter} for meter, one in UNITS],
            "allowances": allowances,
            "tiers": tiers,
            "minimum": _text(minimum),
            "cap": cap,
        }
    )


@st.composite
def segments(draw: st.DrawFn, /, period: Period, **of_plans: bool) -> tuple[Segment, ...]:
    """No plan, one for the whole period, or a change in the middle of it."""
    kind = draw(st.sampled_from(["none", "whole", "change", "part"]))
    if kind == "none":
        return ()
    plan = draw(plans(**of_plans))
    if kind == "whole":
        return (whole(period, plan),)
    day = period.first_day.replace(day=draw(st.integers(2, 28)))
    trial = period.first_day.replace(day=draw(st.integers(2, 28))) if draw(st.booleans()) else None
    later = Subscription(tenant="globex", plan=plan.id, since=day, trial_until=trial)
    found = [segment_of(later, plan, period)]
    if kind == "change":
        before = draw(plans(**of_plans))
        found.insert(
            0,
            segment_of(
                Subscription(tenant="globex", plan=before.id, since=period.first_day, until=day), before, period
            ),
        )
    return tuple(segment for segment in found if segment is not None)


@st.composite
def grants(draw: st.DrawFn, *, units: bool = True, expiring: bool = True) -> list[Grant]:
    """A few grants, in any order."""
    found = []
    for number in range(draw(st.integers(0, 4))):
        unit = draw(st.sampled_from(["", *(["tasks", "pages"] if units else [])]))
        granted = datetime(2026, 10, draw(st.integers(1, 31)), tzinfo=UTC) if expiring else OCTOBER.start
        expires = draw(st.sampled_from([None, datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)]))
        found.append(
            Grant(
                id=f"g{number}",
                tenant="globex",
                kind=draw(st.sampled_from(["top_up", "prepaid", "promotional", "goodwill"])),
                unit=unit,
                currency="USD",
                quantity=draw((quantities if unit else amounts).filter(bool)),
                price_paid=draw(st.one_of(st.just(Decimal(0)), amounts)),
                granted_at=granted,
                expires_at=expires if expiring else None,
                priority=draw(st.sampled_from([0, 100])),
                funding=draw(st.sampled_from(["builder", "platform"])),
                settled=draw(st.booleans()),
            )
        )
    return draw(st.permutations(found))
